"""What a user's own log allows to say: how long machines stay, and when a run may be done. Always with the number of sessions behind it."""
