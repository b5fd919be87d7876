"""What people look at: tables and plots of summaries, trainings and confusions, each as a string.

Nothing here prints, and `rich` is loaded only when something is drawn.
"""
