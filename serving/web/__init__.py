"""The staff's page: sign in, the week's list, a case, feedback, overviews; server-rendered, no script, no outside address."""
