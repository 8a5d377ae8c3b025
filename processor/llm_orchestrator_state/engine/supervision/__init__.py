"""A worker of several processes: started, listened to, started again, ended together."""
