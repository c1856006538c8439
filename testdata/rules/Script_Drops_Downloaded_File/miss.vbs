Set h = CreateObject("MSXML2.XMLHTTP")
h.Open "GET", "https://rates.example.invalid/usd.json", False
h.Send
WScript.Echo h.responseText
