"""Episodes that were kept, and the ways to look at them: GIF, MP4, PNG, an HTML page, a terminal."""
