wmic /node:192.0.2.1 os get caption
schtasks /query /s 192.0.2.1
