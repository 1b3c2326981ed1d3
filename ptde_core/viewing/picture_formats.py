"""The formats of `ptde visualize`, by name. No torch and no Matplotlib: shell completion reads this file."""

CURVES, GAME = "curves", "game"
OF_EPISODES = ("gif", "mp4", "png", "html")
FORMATS = (CURVES, *OF_EPISODES, GAME)
