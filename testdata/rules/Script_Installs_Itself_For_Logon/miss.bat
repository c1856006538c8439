schtasks /query /tn "Nightly backup"
