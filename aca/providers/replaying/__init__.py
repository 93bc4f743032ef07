"""A script in place of a model, and how one is recorded.

script     what it may say                    replay    who plays it
recording  a session, written down as one     recorded  a provider whose work is recorded
retold     what was told, as steps            tree      what became of the files
"""
