"""What a person says to a session.

addition  whether it can be said              audience    who is to hear it
delivery  how it gets there
"""
