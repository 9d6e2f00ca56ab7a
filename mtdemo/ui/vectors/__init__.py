"""Parts of the page for many sentences: the scale of cosines, a ranking, a map."""
