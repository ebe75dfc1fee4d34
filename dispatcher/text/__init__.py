"""The one analyser for articles and queries: tokens, folding, stems, language. Pure: text in, values out."""
