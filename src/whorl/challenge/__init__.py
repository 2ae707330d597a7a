"""The challenge's side: editions, submissions, leaderboards."""
