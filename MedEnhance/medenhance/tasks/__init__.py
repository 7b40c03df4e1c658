"""One file a clinical job. Every way in - library, command, batch, worker, panel - ends in the same function here."""
