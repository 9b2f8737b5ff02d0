
/*
 * Tasks, and what must come of them: the body of an envelope, "field: reason",
 * or "done".  The device is the one of test_task.c, known[]; its key is key-1,
 * its new object is instance 17.
 */

#define ROW(n, t, v)                                                          \
    "<ParameterValueStruct><Name>" n "</Name><Value xsi:type=\"xsd:" t "\">"  \
    v "</Value></ParameterValueStruct>"

#define SPV(n, rows, key)                                                     \
    "<cwmp:SetParameterValues><ParameterList soap-enc:arrayType=\"cwmp:"      \
    "ParameterValueStruct[" n "]\">" rows "</ParameterList><ParameterKey>"    \
    key "</ParameterKey></cwmp:SetParameterValues>"

#define GPV(n, names)                                                         \
    "<cwmp:GetParameterValues><ParameterNames soap-enc:arrayType=\""          \
    "xsd:string[" n "]\">" names "</ParameterNames></cwmp:GetParameterValues>"

#define SET(list)  "{\"method\":\"SetParameterValues\",\"ParameterList\":"    \
                   list "}"
#define VAL(v, t)  SET("{\"A\":{\"value\":" v ",\"type\":\"" t "\"}}")
#define ADD(list)  "{\"method\":\"AddObject\",\"ObjectName\":\"D.T.\","       \
                   "\"values\":" list "}"
#define GET(list)  "{\"method\":\"GetParameterValues\",\"ParameterNames\":"   \
                   list "}"
#define LOAD(more) "{\"method\":\"Download\",\"FileType\":\"2 Web Content\"," \
                   "\"URL\":\"https://h/f\"" more "}"
#define URL(url)   "{\"method\":\"Download\",\"FileType\":\"2 Web Content\"," \
                   "\"URL\":\"" url "\"}"

#define NO_VALUE   ": has no value: use a text, a number, true, false or "    \
                   "{\"value\":..., \"type\":\"xsd:...\"}"
#define NO_TYPE    ": is of unknown type, and the device reported none that " \
                   "there is; give its type: {\"value\":..., "               \
                   "\"type\":\"xsd:...\"}"
#define BAD_TYPE   ": has a type that is none: use xsd:string, boolean, int, "\
                   "unsignedInt, long, unsignedLong, decimal, "       \
                   "dateTime, base64, hexBinary"
#define NO_INSTANCE                                                           \
    ": does not end with an instance, such as 1. or [alias]."
#define NO_LIST    ": is not an object of names and values"
#define CONTROL    ": has a control character, which XML can't carry"
#define NO_URL     "URL: is not an absolute URL such as https://host/file"
#define USERINFO   "URL: holds a user name or password: use Username and "    \
                   "Password"


typedef struct {
    const char  *phase;
    const char  *json;
    const char  *want;              /* a last '*': whatever follows */
    const char  *name;
} case_t;


/* what is sent, RPC by RPC */

static const case_t  rpcs[] = {
    { "", "{\"method\":\"GetRPCMethods\"}",
      "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>", "GetRPCMethods" },
    { "", "{\"method\":\"FactoryReset\"}",
      "<cwmp:FactoryReset></cwmp:FactoryReset>", "FactoryReset" },
    { "", "{\"method\":\"Reboot\"}",
      "<cwmp:Reboot><CommandKey>key-1</CommandKey></cwmp:Reboot>",
      "RPC-14 Reboot: a CommandKey is made" },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":\"\"}",
      "<cwmp:Reboot><CommandKey>key-1</CommandKey></cwmp:Reboot>",
      "an empty CommandKey is none" },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":null}",
      "<cwmp:Reboot><CommandKey>key-1</CommandKey></cwmp:Reboot>",
      "nor is null one" },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":\"own\"}",
      "<cwmp:Reboot><CommandKey>own</CommandKey></cwmp:Reboot>",
      "RPC-14 Reboot: the task's CommandKey" },
    { "", GET("[\"Device.\",\"\",\"A.B\",\"A.B\"]"),
      GPV("4", "<string>Device.</string><string></string><string>A.B</string>"
      "<string>A.B</string>"), "RPC-06 GetParameterValues, all names" },
    { "", "{\"method\":\"GetParameterNames\"}",
      "<cwmp:GetParameterNames><ParameterPath></ParameterPath><NextLevel>0"
      "</NextLevel></cwmp:GetParameterNames>",
      "RPC-09 GetParameterNames: defaults" },
    { "", "{\"NextLevel\":true,\"ParameterPath\":\"Device.IP.\","
      "\"method\":\"GetParameterNames\"}",
      "<cwmp:GetParameterNames><ParameterPath>Device.IP.</ParameterPath>"
      "<NextLevel>1</NextLevel></cwmp:GetParameterNames>",
      "RPC-09 the schema's order, TYP-04 booleans as 0 and 1" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"D.T.\"}",
      "<cwmp:AddObject><ObjectName>D.T.</ObjectName><ParameterKey>key-1"
      "</ParameterKey></cwmp:AddObject>", "RPC-13 AddObject" },
    { "", ADD("{\"X\":1,\"S\":{\"value\":true,\"type\":\"boolean\"}}"),
      "<cwmp:AddObject><ObjectName>D.T.</ObjectName><ParameterKey>key-1"
      "</ParameterKey></cwmp:AddObject>",
      "RPC-12 values come after the AddObject" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.3.\","
      "\"ParameterKey\":\"pk\"}",
      "<cwmp:DeleteObject><ObjectName>D.T.3.</ObjectName><ParameterKey>pk"
      "</ParameterKey></cwmp:DeleteObject>", "RPC-13 DeleteObject" },
    { "", LOAD(""),
      "<cwmp:Download><CommandKey>key-1</CommandKey><FileType>2 Web "
      "Content</FileType>"
      "<URL>https://h/f</URL><Username></Username><Password></Password>"
      "<FileSize>0</FileSize><TargetFileName></TargetFileName><DelaySeconds>0"
      "</DelaySeconds><SuccessURL></SuccessURL><FailureURL></FailureURL>"
      "</cwmp:Download>", "RPC-15 Download: order, defaults" },
    { "", LOAD(",\"FailureURL\":\"f\",\"SuccessURL\":\"s\",\"DelaySeconds\":"
      "4294967295,\"TargetFileName\":\"t\",\"FileSize\":\"+0012\","
      "\"Password\":\"p&<\",\"Username\":\"u\",\"CommandKey\":\"ck\""),
      "<cwmp:Download><CommandKey>ck</CommandKey><FileType>2 Web "
      "Content</FileType>"
      "<URL>https://h/f</URL><Username>u</Username><Password>p&amp;&lt;"
      "</Password><FileSize>12</FileSize><TargetFileName>t</TargetFileName>"
      "<DelaySeconds>4294967295</DelaySeconds><SuccessURL>s</SuccessURL>"
      "<FailureURL>f</FailureURL></cwmp:Download>",
      "RPC-15 Download: all arguments" },
    { "", "{\"method\":\"FactoryReset\",\"id\":\"a\",\"expires\":1,"
      "\"notBefore\":1,\"priority\":true,\"wake\":true,\"retry\":true,"
      "\"attempts\":1,\"note\":\"n\",\"new\":true}",
      "<cwmp:FactoryReset></cwmp:FactoryReset>", "fields of ours are no "
      "arguments" }
};


static const case_t  values[] = {
    { "", SET("{\"S\":\"a&<b>\\\"\\u00e9\",\"B\":true,\"I\":-7,\"U\":\"8\","
      "\"L\":9,\"UL\":1,\"D\":1.5,\"T\":\"2025-03-01T08:00:00+01:00\","
      "\"B64\":\"AA==\",\"H\":\"ff\"}"),
      SPV("10", ROW("S", "string", "a&amp;&lt;b&gt;&quot;\xc3\xa9")
      ROW("B", "boolean", "1") ROW("I", "int", "-7")
      ROW("U", "unsignedInt", "8") ROW("L", "long", "9")
      ROW("UL", "unsignedLong", "1") ROW("D", "decimal", "1.5")
      ROW("T", "dateTime", "2025-03-01T07:00:00Z")
      ROW("B64", "base64Binary", "AA==") ROW("H", "hexBinary", "FF"), "key-1"),
      "RPC-02 SOAP-13 types as the device reported them" },
    { "", VAL("true", "string"), SPV("1", ROW("A", "string", "true"), "key-1"),
      "true as a text" },
    { "", VAL("1.10", "string"), SPV("1", ROW("A", "string", "1.1"), "key-1"),
      "a number as a text" },
    { "", VAL("\"\"", "string"), SPV("1", ROW("A", "string", ""), "key-1"),
      "an empty text" },
    { "", VAL("\" a \\t\\n\\r\"", "string"),
      SPV("1", ROW("A", "string", " a \t\n&#13;"), "key-1"),
      "TYP-06 blanks are kept" },
    { "", VAL("\"\\u007f\\ud83d\\ude00\"", "string"),
      SPV("1", ROW("A", "string", "\x7f\xf0\x9f\x98\x80"), "key-1"),
      "characters beyond 16 bits" },
    { "", VAL("1", "boolean"), SPV("1", ROW("A", "boolean", "1"), "key-1"),
      "TYP-04 1 as a boolean" },
    { "", VAL("\"No\"", "xsd:Boolean"),
      SPV("1", ROW("A", "boolean", "0"), "key-1"), "TYP-04 No as a boolean" },
    { "", VAL("2", "boolean"),
      "ParameterList.A: is not a boolean: use true or false", "2" },
    { "", VAL("1.0", "boolean"), SPV("1", ROW("A", "boolean", "1"), "key-1"),
      "1.0 as a boolean" },
    { "", VAL("2147483647", "int"),
      SPV("1", ROW("A", "int", "2147483647"), "key-1"), "TYP-01 int: last" },
    { "", VAL("-2147483648", "int"),
      SPV("1", ROW("A", "int", "-2147483648"), "key-1"), "TYP-01 int: first" },
    { "", VAL("2147483648", "int"), "ParameterList.A: is above 2147483647",
      "TYP-01 int: too high" },
    { "", VAL("-2147483649", "int"), "ParameterList.A: is below -2147483648",
      "TYP-01 int: too low" },
    { "", VAL("4294967295", "unsignedInt"),
      SPV("1", ROW("A", "unsignedInt", "4294967295"), "key-1"),
      "TYP-01 unsignedInt: last" },
    { "", VAL("4294967296", "unsignedInt"),
      "ParameterList.A: is above 4294967295", "TYP-01 unsignedInt: too high" },
    { "", VAL("-1", "unsignedInt"), "ParameterList.A: is below 0",
      "TYP-01 unsignedInt: too low" },
    { "", VAL("9223372036854775807", "long"),
      SPV("1", ROW("A", "long", "9223372036854775807"), "key-1"),
      "TYP-01 long: last" },
    { "", VAL("-9223372036854775808", "long"),
      SPV("1", ROW("A", "long", "-9223372036854775808"), "key-1"),
      "TYP-01 long: first" },
    { "", VAL("\"9223372036854775808\"", "long"),
      "ParameterList.A: is above 9223372036854775807",
      "TYP-01 long: too high" },
    { "", VAL("\"18446744073709551615\"", "unsignedLong"),
      SPV("1", ROW("A", "unsignedLong", "18446744073709551615"), "key-1"),
      "TYP-01 unsignedLong: last, as a text" },
    { "", VAL("18446744073709551615", "unsignedLong"),
      "ParameterList.A.value: has more digits than a number may have: write "
      "it as a text", "beyond 64 bits signed it must be a text" },
    { "", "{\"method\":\"ScheduleDownload\",\"TimeWindowList\":[1,{"
      "\"WindowStart\":-9223372036854775809}]}",
      "TimeWindowList[1].WindowStart: has more digits*",
      "... wherever it stands" },
    { "", VAL("3600.0", "unsignedInt"),
      SPV("1", ROW("A", "unsignedInt", "3600"), "key-1"), "3600.0 is whole" },
    { "", VAL("1e3", "unsignedInt"),
      SPV("1", ROW("A", "unsignedInt", "1000"), "key-1"), "1e3 is whole" },
    { "", VAL("1.5", "unsignedInt"), "ParameterList.A: is not a whole number",
      "1.5 is not" },
    { "", VAL("true", "unsignedInt"), "ParameterList.A: is not a whole number",
      "true is no number" },
    { "", VAL("-0.0", "decimal"), SPV("1", ROW("A", "decimal", "0"), "key-1"),
      "-0.0" },
    { "", VAL("0.1", "decimal"), SPV("1", ROW("A", "decimal", "0.1"), "key-1"),
      "0.1 is not 0.1000000000000000055" },
    { "", VAL("1234567890.123456", "decimal"),
      SPV("1", ROW("A", "decimal", "1234567890.123456"), "key-1"),
      "TYP-01 no digit of a number is lost" },
    { "", VAL("1e400", "decimal"), "task: *", "beyond a double's range" },
    { "", VAL("\"Z\"", "dateTime"), "ParameterList.A: is not a*",
      "no dateTime" },
    { "", VAL("\"0a0\"", "hexBinary"),
      "ParameterList.A: is not hexBinary: it needs two digits a byte",
      "no hexBinary" },
    { "", VAL("\"?\"", "base64"), "ParameterList.A: is not base64",
      "no base64" },
    { "", VAL("1", "xsd:thing"), "ParameterList.A" BAD_TYPE, "no type" },
    { "", VAL("1", ""), "ParameterList.A" BAD_TYPE, "an empty type" },
    { "", VAL("1", "xsd:float"), "ParameterList.A" BAD_TYPE, "float" },
    { "", VAL("1", "xsd:anySimpleType"), "ParameterList.A" BAD_TYPE,
      "anySimpleType" },
    { "", SET("{\"A\":{\"value\":1,\"type\":5}}"), "ParameterList.A" BAD_TYPE,
      "a type that is no text" },
    { "", SET("{\"A\":{\"value\":1,\"type\":null}}"),
      "ParameterList.A" NO_TYPE, "a type that is null is none" },
    { "", SET("{\"U\":{\"value\":5,\"type\":null}}"),
      SPV("1", ROW("U", "unsignedInt", "5"), "key-1"),
      "... and the device's counts" },
    { "", SET("{\"U\":{\"value\":5,\"type\":\"string\"}}"),
      SPV("1", ROW("U", "string", "5"), "key-1"),
      "the task's type before the device's" },
    { "", SET("{\"U\":{\"value\":5}}"),
      SPV("1", ROW("U", "unsignedInt", "5"), "key-1"), "value without type" },
    { "", SET("{\"U\":\"5 s\"}"), "ParameterList.U: is not a whole number",
      "the device's type is held" },
    { "", SET("{\"A\":1}"), "ParameterList.A" NO_TYPE, "of unknown type" },
    { "", SET("{\"Odd\":1}"), "ParameterList.Odd" NO_TYPE,
      "TYP-05 of a type that TR-069 has not" },
    { "", SET("{\"Odd\":{\"value\":1,\"type\":\"int\"}}"),
      SPV("1", ROW("Odd", "int", "1"), "key-1"),
      "TYP-05 ... whose type the task gives" },
    { "types", SET("{\"Odd\":1}"), "done",
      "TYP-05 it is not read once more" },
    { "set", ADD("{\"Odd\":1}"), "values.Odd" NO_TYPE,
      "TYP-05 nor guessed in a new object" },
    { "", SET("{\"U\":null}"), "ParameterList.U" NO_VALUE, "null" },
    { "", SET("{\"U\":[1]}"), "ParameterList.U" NO_VALUE, "a list" },
    { "", SET("{\"U\":{}}"), "ParameterList.U" NO_VALUE, "no value" },
    { "", SET("{\"U\":{\"value\":{\"value\":1}}}"), "ParameterList.U" NO_VALUE,
      "value in value" },
    { "", SET("{\"S\":\"a\\u0001\"}"), "ParameterList.S" CONTROL,
      "SOAP-14 a control character" },
    { "", SET("{\"S\":\"\\ufffe\"}"),
      "ParameterList.S: is not valid UTF-8 of characters that XML can carry",
      "SOAP-14 U+FFFE" },
    { "", SET("{\"S\":\"\\u0000\"}"), "task: *", "a NUL in a text" },
    { "", SET("{\"S\\u0000\":1}"), "task: *", "a NUL in a name" },
    { "", SET("{\"S\":\"\\ud83d\"}"), "task: *", "half a surrogate pair" },
    { "", SET("{\"S\":\"\xe9\"}"), "task: *", "Latin-1" },
    { "", SET("{\"S\":1,\"S\":2}"), "task: duplicate object key*",
      "RPC-03 a name twice" },
    { "", SET("{\"\":1}"), "ParameterList.: is no parameter's name",
      "PAR-06 an empty name" },
    { "", SET("{\"D.\":1}"), "ParameterList.D.: is no parameter's name",
      "PAR-06 an object's name" },
    { "", SET("{\"A\\u0001\":{\"value\":1,\"type\":\"int\"}}"),
      "ParameterList.A\x01: *",
      "SOAP-14 a control character in a name is not sent as another one" },
    { "", SET("{}"), "ParameterList" NO_LIST, "nothing to set" },
    { "", SET("[\"S\"]"), "ParameterList" NO_LIST, "a list of names" },
    { "", SET("\"S\""), "ParameterList" NO_LIST, "a text" },
    { "", SET("null"), "ParameterList: is missing", "null" },
    { "", "{\"method\":\"SetParameterValues\"}", "ParameterList: is missing",
      "no list" }
};


static const case_t  refused[] = {
    { "", "", "task: *", "nothing" },
    { "", "{\"method\":\"Reboot\"", "task: *", "half a task" },
    { "", "{\"method\":\"Reboot\"} x", "task: *", "more than a task" },
    { "", "[]", "method: is missing, or is not a text", "a list" },
    { "", "5", "task: *", "a number" },
    { "", "{}", "method: is missing, or is not a text", "no method" },
    { "", "{\"method\":7}", "method: is missing, or is not a text", "7" },
    { "", "{\"method\":null}", "method: is missing, or is not a text",
      "null" },
    { "", "{\"method\":\"\"}", "method: is no RPC that can be sent",
      "an empty method" },
    { "", "{\"method\":\"reboot\"}", "method: is no RPC that can be sent",
      "methods match exactly" },
    { "", "{\"method\":\"Inform\"}", "method: is no RPC that can be sent",
      "what only a CPE sends" },
    { "", "{\"method\":\"TransferComplete\"}",
      "method: is no RPC that can be sent", "TransferComplete" },
    { "", "{\"method\":\"Reboot\",\"method\":\"Reboot\"}",
      "task: duplicate object key*", "a field twice" },
    { "", "{\"method\":\"Reboot\",\"Delay\":1}",
      "Delay: is no field of this task", "an unknown field" },
    { "", "{\"method\":\"Reboot\",\"commandkey\":\"a\"}",
      "commandkey: is no field of this task", "fields match exactly" },
    { "", "{\"method\":\"Reboot\",\"ParameterKey\":\"a\"}",
      "ParameterKey: is no field of this task", "another RPC's field" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.1.\",\"values\":"
      "{\"A\":1}}", "values: is no field of this task",
      "values are AddObject's only" },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":5}",
      "CommandKey: is not a text", "a number as CommandKey" },
    { "", "{\"method\":\"Reboot\",\"CommandKey\":\"\\u0001\"}",
      "CommandKey" CONTROL, "SOAP-14 a control character in an argument" },
    { "", "{\"method\":\"GetParameterValues\"}", "ParameterNames: is missing",
      "RPC-06 no names" },
    { "", GET("[]"), "ParameterNames: is an empty list",
      "RPC-06 an empty list" },
    { "", GET("\"A\""), "ParameterNames: is not a list of texts",
      "RPC-06 a text" },
    { "", GET("{\"A\":1}"), "ParameterNames: is not a list of texts",
      "RPC-06 an object" },
    { "", GET("[\"A\",1]"), "ParameterNames[1]: is not a text",
      "RPC-06 a number in the list" },
    { "", GET("[\"A\",\"B\",null]"), "ParameterNames[2]: is not a text",
      "RPC-06 null in the list" },
    { "", GET("[\"A\\u0002\"]"), "ParameterNames[0]" CONTROL,
      "SOAP-14 a control character in a list" },
    { "", "{\"method\":\"GetParameterNames\",\"ParameterPath\":[]}",
      "ParameterPath: is not a text", "a list as path" },
    { "", "{\"method\":\"GetParameterNames\",\"NextLevel\":\"maybe\"}",
      "NextLevel: is not a boolean: use true or false", "RPC-09 maybe" },
    { "", "{\"method\":\"GetParameterNames\",\"NextLevel\":null}",
      "<cwmp:GetParameterNames><ParameterPath></ParameterPath><NextLevel>0"
      "</NextLevel></cwmp:GetParameterNames>", "RPC-09 null is the default" },
    { "", "{\"method\":\"AddObject\"}", "ObjectName: is missing",
      "RPC-13 no ObjectName" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"\"}",
      "ObjectName: is empty", "RPC-13 an empty ObjectName" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"D.T\"}",
      "ObjectName: does not end with a dot", "RPC-13 AddObject needs a dot" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.1\"}",
      "ObjectName: does not end with a dot",
      "RPC-13 DeleteObject needs a dot" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.\"}",
      "ObjectName" NO_INSTANCE, "RPC-13 DeleteObject of all instances" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.0.\"}",
      "<cwmp:DeleteObject><ObjectName>D.T.0.</ObjectName>*",
      "TOL-22 RPC-13 of an instance 0" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T2.\"}",
      "ObjectName" NO_INSTANCE, "RPC-13 of a name that ends with a digit" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"5.\"}",
      "ObjectName" NO_INSTANCE, "RPC-13 of nothing's instance" },
    { "", "{\"method\":\"DeleteObject\",\"ObjectName\":\"D.T.[a.b].\"}",
      "<cwmp:DeleteObject>*", "RPC-13 by its alias" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\".\"}",
      "ObjectName: is no object's path", "RPC-13 AddObject of a dot" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"D..T.\"}",
      "ObjectName: is no object's path", "RPC-13 of an empty part" },
    { "", "{\"method\":\"AddObject\",\"ObjectName\":\"D.T x.\"}",
      "ObjectName: is no object's path", "RPC-13 of a blank" },
    { "", ADD("{}"), "values" NO_LIST, "RPC-12 no values" },
    { "", ADD("[]"), "values" NO_LIST, "RPC-12 a list of values" },
    { "", ADD("null"), "<cwmp:AddObject><ObjectName>D.T.</ObjectName>*",
      "RPC-12 null is no values" },
    { "", ADD("{\".X\":1}"), "values..X: is no parameter's name",
      "RPC-12 a name with an empty part is found before the object is made" },
    { "", ADD("{\"X..Y\":1}"), "values.X..Y: is no parameter's name",
      "RPC-12 in its middle, too" },
    { "", ADD("{\"X Y\":1}"), "values.X Y: is no parameter's name",
      "RPC-12 a name with a blank" },
    { "", ADD("{\"[a b.c].X\":1}"), "<cwmp:AddObject>*",
      "RPC-12 but an alias may have blanks and dots" },
    { "", ADD("{\"X\":null}"), "values.X" NO_VALUE,
      "RPC-12 a value is looked at before the object is made" },
    { "", ADD("{\"X\":{\"value\":1,\"type\":\"thing\"}}"), "values.X" BAD_TYPE,
      "RPC-12 and its type" },
    { "", ADD("{\"X\":{\"value\":\"a\",\"type\":\"int\"}}"),
      "values.X: is not a whole number", "RPC-12 and that they fit" },
    { "", ADD("{\"X\":\"\\u0001\"}"), "values.X" CONTROL,
      "RPC-12 and what XML can't carry" },
    { "", ADD("{\"\":1}"), "values.: is no parameter's name",
      "RPC-12 and its name" },
    { "", ADD("{\"X.\":1}"), "values.X.: is no parameter's name",
      "RPC-12 which is no object's" },
    { "", "{\"method\":\"Download\",\"URL\":\"https://h/f\"}",
      "FileType: is missing", "RPC-15 no FileType" },
    { "", "{\"method\":\"Download\",\"FileType\":\"4 Tone File\"}",
      "URL: is missing", "RPC-15 no URL" },
    { "", "{\"method\":\"Download\",\"FileType\":\"\",\"URL\":\"a\"}",
      "FileType: is empty", "RPC-15 an empty FileType" },
    { "", LOAD(",\"FileSize\":-1"), "FileSize: is below 0", "RPC-15 -1" },
    { "", LOAD(",\"FileSize\":4294967296"), "FileSize: is above 4294967295",
      "RPC-15 over 32 bits" },
    { "", LOAD(",\"DelaySeconds\":1.5"), "DelaySeconds: is not a whole number",
      "RPC-15 1.5" },
    { "", LOAD(",\"DelaySeconds\":null"),
      "<cwmp:Download>*", "RPC-15 null is the default" },
    { "", LOAD(",\"DelaySeconds\":true"),
      "DelaySeconds: is not a whole number", "RPC-15 true" },
    { "", LOAD(",\"Username\":null"), "<cwmp:Download>*", "null" },
    { "", "{\"method\":\"Download\",\"FileType\":\"X Y Z\",\"URL\":null}",
      "URL: is missing", "RPC-15 null where something is needed" },
    { "", "{\"method\":\"Download\",\"Url\":null}",
      "Url: is no field of this task", "null of a misspelt field" },
    { "", URL(""), "URL: is empty", "RPC-15 an empty URL" },
    { "", URL("h/f"), NO_URL, "RPC-15 no scheme" },
    { "", URL("://h/f"), NO_URL, "RPC-15 an empty scheme" },
    { "", URL("1s://h/f"), NO_URL, "RPC-15 a scheme begins with a letter" },
    { "", URL("https://"), NO_URL, "RPC-15 no host" },
    { "", URL("https://h/a b"), "URL: has a blank or a control character",
      "RPC-15 a blank" },
    { "", URL("https://h/f\\n"), "URL: has a blank or a control character",
      "RPC-15 a line feed" },
    { "", URL("h/f?from=http://x"), NO_URL,
      "RPC-15 a scheme further back is none" },
    { "", URL("https://u:p@h/f"), USERINFO, "RPC-15 no userinfo: u:p@" },
    { "", URL("https://u@h"), USERINFO, "RPC-15 no userinfo: u@" },
    { "", URL("https://@h/"), USERINFO, "RPC-15 no userinfo: @" },
    { "", URL("https://h/a@b?c=d@e"), "<cwmp:Download>*",
      "RPC-15 an @ in the path is none" },
    { "", URL("https://h?c=d@e"), "<cwmp:Download>*",
      "RPC-15 an @ in the query is none" }
};


/* A is unknown, U and S are known; the object is D.T.17. */

#define MIX  "{\"A\":1,\"U\":1,\"C\":{\"value\":1,\"type\":\"int\"},\"E\":"   \
             "{\"value\":1}}"

static const case_t  phases[] = {
    { "types", SET(MIX), GPV("2", "<string>A</string><string>E</string>"),
      "phase types reads what has no type" },
    { "types", ADD(MIX), GPV("2", "<string>D.T.17.A</string><string>D.T.17.E"
      "</string>"), "phase types of a new object" },
    { "verify", SET(MIX), GPV("4", "<string>A</string><string>U</string>"
      "<string>C</string><string>E</string>"),
      "SES-18 phase verify reads all" },
    { "set", ADD("{\"U\":7,\"S\":\"a\",\"B\":false}"),
      SPV("3", ROW("D.T.17.U", "unsignedInt", "7")
      ROW("D.T.17.S", "string", "a") ROW("D.T.17.B", "boolean", "0"), "key-1"),
      "RPC-12 phase set uses the instance" },
    { "set", ADD("{\"A\":7}"), "values.A" NO_TYPE,
      "phase set: still of unknown type" },
    { "set", ADD("{\"U\":-7}"), "values.U: is below 0",
      "phase set: does not fit the type" },

    /* what is read must be what a good task would set: "" is everything */

    { "types", SET("{\"\":1}"), "ParameterList.: is no parameter's name",
      "PAR-06 phase types: an empty name is not read" },
    { "types", SET("{\"A\":1,\"D.\":1}"),
      "ParameterList.D.: is no parameter's name",
      "PAR-06 phase types: an object is not read" },
    { "types", SET("{\"A\":null}"), "ParameterList.A" NO_VALUE,
      "phase types: what has no value is not read" },
    { "types", SET("{\"A\":{\"value\":1,\"type\":false}}"),
      "ParameterList.A" BAD_TYPE, "phase types: a type that is none" },
    { "types", SET("{\"A\":1},\"Bogus\":1"), "Bogus: is no field of this task",
      "phase types: an unknown field" },
    { "types", SET("{\"A\":1},\"values\":{\"B\":1}"),
      "values: is no field of this task", "phase types: values of no object" },
    { "types", SET("[\"A\"]"), "ParameterList" NO_LIST,
      "phase types: a list" },
    { "verify", SET("5"), "ParameterList" NO_LIST, "phase verify: a number" },

    { "compare", SET("{\"S\":\"text\",\"B\":1,\"I\":\"-05\",\"U\":7,\"L\":-9,"
      "\"UL\":9,\"D\":1.5,\"T\":\"2025-02-28T20:30:00Z\",\"B64\":\"AA EC\","
      "\"H\":\"0A\",\"Empty\":\"\"}"), "done",
      "SES-18 phase compare: all there, however it is written" },
    { "compare", SET("{\"S\":\"text \",\"B\":1}"),
      SPV("2", ROW("S", "string", "text ") ROW("B", "boolean", "1"), "key-1"),
      "SES-18 phase compare: a blank differs, all is sent" },
    { "confirm", SET("{\"S\":\"x\",\"U\":7}"),
      GPV("2", "<string>S</string><string>U</string>"),
      "TOL-48 what was set is read back" },
    { "confirmed", SET("{\"S\":\"text\",\"U\":7,\"B\":1}"), "done",
      "TOL-48 it is there" },
    { "confirmed", SET("{\"S\":\"x\",\"U\":7,\"B\":0}"),
      "ParameterList: is set, the device says; read back, other values are "
      "in: S, B", "TOL-48 it is not: these" },
    { "confirmed", SET("{\"Empty\":\"secret\",\"U\":7}"), "done",
      "TOL-48 a password reads as empty" },
    { "compare", SET("{\"Empty\":\"secret\"}"), "<cwmp:SetParameterValues>*",
      "TOL-48 which is no proof of it either" },
    { "confirmed 1 2 0", SET("{\"S\":\"x\",\"U\":7,\"B\":0}"), "done",
      "TOL-48 of a part of the list" },
    { "types", SET("{\"S\":\"x\",\"U\":7}"), "done",
      "no type is left to read" },
    { "types 1 3 0", SET("{\"A1\":\"x\",\"A2\":\"x\",\"U\":1,\"A3\":1}"),
      GPV("1", "<string>A2</string>"), "RPC-03 types of a part of the list" },
    { "types 1 3 junk", SET("{\"A1\":\"x\",\"A2\":\"x\",\"A3\":1}"),
      GPV("2", "<string>A2</string><string>A3</string>"),
      "RPC-03 a number that is none is 0" },
    { "compare 2 3 0", SET("{\"S\":\"x\",\"U\":8,\"B\":1}"), "done",
      "RPC-03 an interrupted part that was applied" },
    { " 1 2 0", SET("{\"S\":\"x\",\"U\":8,\"B\":\"odd\"}"),
      SPV("1", ROW("U", "unsignedInt", "8"), "key-1"),
      "RPC-03 a part, when the list was looked at with the first one" },
    { " 0 1 0", SET("{\"S\":\"x\",\"U\":8,\"B\":\"odd\"}"),
      "ParameterList.B: is not a boolean*",
      "RPC-03 nothing is sent when another part is wrong" },
    { "level", GET("[\"A.\"]"),
      "<cwmp:GetParameterNames><ParameterPath>S</ParameterPath><NextLevel>1"
      "</NextLevel></cwmp:GetParameterNames>", "RPC-07 the level below a path" },
    { "names", GET("[\"A.\",\"B\"]"),
      GPV("2", "<string>N.1.</string><string>N.2</string>"),
      "RPC-07 the names that the state table asks for" },
    { "names", GET("[\"A.\",7]"), "ParameterNames[1]: is not a text",
      "RPC-07 what is wrong with the task itself" },
    { "compare", SET("{\"B\":1,\"S\":\"Text\"}"), "<cwmp:SetParameterValues>*",
      "phase compare: the last one differs" },
    { "compare", SET("{\"S\":\"\"}"), "<cwmp:SetParameterValues>*",
      "phase compare: an empty text is a value" },
    { "compare", SET("{\"Empty\":\"x\"}"), "<cwmp:SetParameterValues>*",
      "phase compare: the device's is empty" },
    { "compare", SET("{\"C\":{\"value\":1,\"type\":\"int\"},\"U\":7}"),
      SPV("2", ROW("C", "int", "1") ROW("U", "unsignedInt", "7"), "key-1"),
      "phase compare: the device has none" },
    { "compare", SET("{\"U\":{\"value\":7,\"type\":\"string\"}}"),
      SPV("1", ROW("U", "string", "7"), "key-1"),
      "phase compare: as the task's type 007 is not 7" },
    { "compare", SET("{\"BadU\":7}"), SPV("1", ROW("BadU", "unsignedInt", "7"),
      "key-1"), "phase compare: the device's is no number" },
    { "compare", SET("{\"U\":7,\"A\":1}"), "ParameterList.A" NO_TYPE,
      "phase compare: of unknown type" },

    { "check", SET("{\"U\":7,\"S\":\"text\"}"), "done",
      "SES-18 phase check: all there" },
    { "check", SET("{\"U\":7,\"S\":\"Text\"}"),
      "attempts: are used up, and reading back shows that it was not applied",
      "SES-18 phase check: what differs is not sent again" }
};
