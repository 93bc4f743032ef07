"""What comes before a run: settings, a plan that can run, and whether it still is what was approved.

config     settings and their origins         prepare    from a file to a plan that can run
drift      what has moved since               approval   a person's word for a plan
rewriting  a plan's file, changed             schemas    the formats, for editors
assigned   who does which agent task
"""
