"""Another policy decides along on what really came: what would it have done, and how long would people have waited?"""
