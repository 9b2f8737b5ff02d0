
/*
 * As task_cases.h, for the RPCs whose arguments are derived, of several types,
 * bounded, or bounded by one another.
 */

#define ANY(method, type)                                                     \
    "{\"method\":\"" method "\",\"FileType\":\"" type "\",\"URL\":"            \
    "\"https://h/f\"}"
#define DOWN(type)  ANY("Download", type)
#define UP(type)    ANY("Upload", type)
#define WINDOW(more)                                                          \
    "{\"method\":\"ScheduleDownload\",\"FileType\":\"2 Web Content\",\"URL\":"\
    "\"https://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":2," \
    "\"WindowMode\":" more "}]}"
#define ACCESS(list)                                                          \
    "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name\":"    \
    "\"A\",\"AccessList\":" list "}]}"
#define INSTALL(url)                                                          \
    "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Install\"," \
    "\"URL\":\"" url "\"}]}"

#define NO_DOWN    "FileType: is none of 1 Firmware Upgrade Image, "          \
                   "2 Web Content, 3 Vendor Configuration File, 4 Tone File, "\
                   "5 Ringer File, 6 Stored Firmware Image, X <VENDOR> <id>"
#define NO_UP      "FileType: is none of 1 Vendor Configuration File, "       \
                   "2 Vendor Log File, 3 Vendor Configuration File <i>, "     \
                   "4 Vendor Log File <i>, X <VENDOR> <id>"
#define NO_MODE    "TimeWindowList[0].WindowMode: is none of 1 At Any Time, " \
                   "2 Immediately, 3 When Idle, 4 Confirmation Needed, "      \
                   "X <VENDOR> <id>"
#define NO_ENTITY  "is none of Subscriber, X_<VENDOR>"
#define SHOWN      "TimeWindowList[0].UserMessage: is shown to nobody in "    \
                   "this WindowMode: use 4 Confirmation Needed"
#define NO_PERCENT "has a % without two hexadecimal digits: write it as %25"
#define NO_HOST    "has a host or a port that is none"
#define NO_BRACKET "has a [, a ] or a second #: write it as %5B, %5D, %23"


/* texts of which there are some, and forms that the schema has */

static const case_t  forms[] = {
    { "", DOWN("1 Firmware Upgrade Image"), "<cwmp:Download>*", "RPC-15 1" },
    { "", DOWN("2 Web Content"), "<cwmp:Download>*", "RPC-15 2" },
    { "", DOWN("3 Vendor Configuration File"), "<cwmp:Download>*", "RPC-15 3" },
    { "", DOWN("4 Tone File"), "<cwmp:Download>*", "RPC-15 4" },
    { "", DOWN("5 Ringer File"), "<cwmp:Download>*", "RPC-15 5" },
    { "", DOWN("6 Stored Firmware Image"), "<cwmp:Download>*", "RPC-15 6" },
    { "", DOWN("X 00D09E Skin"), "<cwmp:Download>*", "RPC-15 an OUI's own" },
    { "", DOWN("X acme.example two words"), "<cwmp:Download>*",
      "RPC-15 a vendor's own" },
    { "", DOWN("X \u00e9 < "), "<cwmp:Download>*", "RPC-15 in any letters" },
    { "", DOWN("foo"), NO_DOWN, "RPC-15 foo" },
    { "", DOWN("1"), NO_DOWN, "RPC-15 a number alone" },
    { "", DOWN("1 firmware upgrade image"), NO_DOWN, "RPC-15 in other case" },
    { "", DOWN("1 Firmware Upgrade Image "), NO_DOWN, "RPC-15 a blank more" },
    { "", DOWN("1 Vendor Configuration File"), NO_DOWN,
      "RPC-15 what is uploaded only" },
    { "", DOWN("3 Vendor Configuration File 1"), NO_DOWN,
      "RPC-15 with an instance" },
    { "", DOWN("X "), NO_DOWN, "RPC-15 no vendor" },
    { "", DOWN("X ACME"), NO_DOWN, "RPC-15 a vendor alone" },
    { "", DOWN("X ACME "), NO_DOWN, "RPC-15 a vendor and nothing" },
    { "", DOWN("X  ACME"), NO_DOWN, "RPC-15 no vendor, but its type" },
    { "", DOWN("X A\\nB C"), NO_DOWN, "RPC-15 a vendor of two lines" },
    { "", DOWN("X A B\\nC"), NO_DOWN, "RPC-15 a type of two lines" },
    { "", DOWN("XY A B"), NO_DOWN, "RPC-15 not X" },

    { "", UP("1 Vendor Configuration File"), "<cwmp:Upload>*", "RPC-23 1" },
    { "", UP("2 Vendor Log File"), "<cwmp:Upload>*", "RPC-23 2" },
    { "", UP("3 Vendor Configuration File 12"), "<cwmp:Upload>*", "RPC-23 3" },
    { "", UP("4 Vendor Log File 1"), "<cwmp:Upload>*", "RPC-23 4" },
    { "", UP("X ACME Dump"), "<cwmp:Upload>*", "RPC-23 X" },
    { "", UP("1 Firmware Upgrade Image"), NO_UP,
      "RPC-23 what is downloaded only" },
    { "", UP("3 Vendor Configuration File"), NO_UP, "RPC-23 no instance" },
    { "", UP("3 Vendor Configuration File 0"), NO_UP, "RPC-23 instance 0" },
    { "", UP("3 Vendor Configuration File 1a"), NO_UP, "RPC-23 1a" },
    { "", UP("4 Vendor Log File x"), NO_UP, "RPC-23 x" },

    { "", WINDOW("\"1 At Any Time\""), "<cwmp:ScheduleDownload>*", "RPC-24 1" },
    { "", WINDOW("\"2 Immediately\""), "<cwmp:ScheduleDownload>*", "RPC-24 2" },
    { "", WINDOW("\"3 When Idle\""), "<cwmp:ScheduleDownload>*", "RPC-24 3" },
    { "", WINDOW("\"4 Confirmation Needed\""), "<cwmp:ScheduleDownload>*",
      "RPC-24 4" },
    { "", WINDOW("\"4 Confirmation Needed\",\"UserMessage\":\"now?\""),
      "<cwmp:ScheduleDownload>*", "RPC-24 4, with a message" },
    { "", WINDOW("\"X ACME Night\",\"UserMessage\":\"now?\""),
      "<cwmp:ScheduleDownload>*", "RPC-24 X, with a message" },
    { "", WINDOW("\"3 When Idle\",\"UserMessage\":\"\""),
      "<cwmp:ScheduleDownload>*", "RPC-24 an empty message is none" },
    { "", WINDOW("\"1 At Any Time\",\"UserMessage\":\"a\""), SHOWN,
      "RPC-24 a message in mode 1" },
    { "", WINDOW("\"3 When Idle\",\"UserMessage\":\"a\""), SHOWN,
      "RPC-24 a message in mode 3" },
    { "", WINDOW("\"nope\""), NO_MODE, "RPC-24 nope" },
    { "", WINDOW("\"3\""), NO_MODE, "RPC-24 a number alone" },
    { "", WINDOW("\"5 At Once\""), NO_MODE, "RPC-24 a mode that is none" },
    { "", WINDOW("\"\""), "TimeWindowList[0].WindowMode: is empty",
      "RPC-24 no mode" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"foo\",\"URL\":"
      "\"https://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":"
      "2,\"WindowMode\":\"2 Immediately\"}]}", NO_DOWN,
      "RPC-24 a FileType that is none" },

    { "", ACCESS("[\"Subscriber\",\"X_ACME_Desk\"]"),
      "<cwmp:SetParameterAttributes>*", "RPC-10 entities that there are" },
    { "", ACCESS("[\"Subscriber\",\"\"]"),
      "ParameterList[0].AccessList[1]: " NO_ENTITY, "RPC-10 an empty one" },
    { "", ACCESS("[\"subscriber\"]"),
      "ParameterList[0].AccessList[0]: " NO_ENTITY, "RPC-10 in other case" },
    { "", ACCESS("[\"X_\"]"), "ParameterList[0].AccessList[0]: " NO_ENTITY,
      "RPC-10 a vendor without a name" },
    { "", ACCESS("[\"X_a b\"]"), "ParameterList[0].AccessList[0]: " NO_ENTITY,
      "RPC-10 a blank" },

    { "", INSTALL("https://h"), "<cwmp:ChangeDUState>*", "RPC-29 a host" },
    { "", INSTALL("https://h.example:8443/a;b=c/%20d?e=/?#f"),
      "<cwmp:ChangeDUState>*", "RPC-29 all parts of a URL" },
    { "", INSTALL("https://[2001:db8::1]"), "<cwmp:ChangeDUState>*",
      "RPC-29 an IPv6 address" },
    { "", INSTALL("https://[2001:db8::1]:80/a"), "<cwmp:ChangeDUState>*",
      "RPC-29 ... with a port" },
    { "", INSTALL("https://h/%"), "Operations[0].URL: " NO_PERCENT,
      "RPC-29 a % alone" },
    { "", INSTALL("https://h/%4"), "Operations[0].URL: " NO_PERCENT,
      "RPC-29 one digit" },
    { "", INSTALL("https://h/%g1"), "Operations[0].URL: " NO_PERCENT,
      "RPC-29 no hexadecimal digit" },
    { "", INSTALL("https://h/%4x5"), "Operations[0].URL: " NO_PERCENT,
      "RPC-29 x" },
    { "", INSTALL("https://h/?a=100%&b"), "Operations[0].URL: " NO_PERCENT,
      "RPC-29 in a query" },
    { "", INSTALL("https://h:/a"), "Operations[0].URL: " NO_HOST,
      "RPC-29 an empty port" },
    { "", INSTALL("https://h:8x/a"), "Operations[0].URL: " NO_HOST,
      "RPC-29 a port that is no number" },
    { "", INSTALL("https://h:80:80/a"), "Operations[0].URL: " NO_HOST,
      "RPC-29 two ports" },
    { "", INSTALL("https://2001:db8::1/a"), "Operations[0].URL: " NO_HOST,
      "RPC-29 an IPv6 address without brackets" },
    { "", INSTALL("https://[2001:db8::1/a"), "Operations[0].URL: " NO_HOST,
      "RPC-29 ... with one" },
    { "", INSTALL("https://[::1]a/"), "Operations[0].URL: " NO_HOST,
      "RPC-29 ... and more of a host" },
    { "", INSTALL("https://h]/"), "Operations[0].URL: " NO_HOST,
      "RPC-29 a bracket in a host" },
    { "", INSTALL("https://h/a[1]"), "Operations[0].URL: " NO_BRACKET,
      "RPC-29 brackets in a path" },
    { "", INSTALL("https://h/a?b]"), "Operations[0].URL: " NO_BRACKET,
      "RPC-29 in a query" },
    { "", INSTALL("https://h/a#b#c"), "Operations[0].URL: " NO_BRACKET,
      "RPC-29 two fragments" },
    { "", URL("https://h/100%.bin"), "URL: " NO_PERCENT,
      "RPC-15 and so for a Download" },

    { "", "{\"method\":\"SetVouchers\",\"VoucherList\":[\"AB==\"]}",
      "<cwmp:SetVouchers><VoucherList soap-enc:arrayType=\"soap-enc:base64[1]"
      "\"><base64>AA==</base64>*", "bits of a voucher that are none" }
};


/* the further RPCs: derived arguments, variants, bounds, several arguments */

static const case_t  further[] = {
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name"
      "\":\"A\",\"Notification\":2},{\"Name\":\"B.\",\"AccessList\":[\"Su"
      "bscriber\"]},{\"Name\":\"C\",\"AccessList\":[],\"Notification\":0}"
      "]}",
      "<cwmp:SetParameterAttributes><ParameterList soap-enc:arrayType=\"c"
      "wmp:SetParameterAttributesStruct[3]\"><SetParameterAttributesStruc"
      "t><Name>A</Name><NotificationChange>1</NotificationChange><Notific"
      "ation>2</Notification><AccessListChange>0</AccessListChange><Acces"
      "sList soap-enc:arrayType=\"xsd:string[0]\"></AccessList></SetParam"
      "eterAttributesStruct><SetParameterAttributesStruct><Name>B.</Name>"
      "<NotificationChange>0</NotificationChange><Notification>0</Notific"
      "ation><AccessListChange>1</AccessListChange><AccessList soap-enc:a"
      "rrayType=\"xsd:string[1]\"><string>Subscriber</string></AccessList"
      "></SetParameterAttributesStruct><SetParameterAttributesStruct><Nam"
      "e>C</Name><NotificationChange>1</NotificationChange><Notification>"
      "0</Notification><AccessListChange>1</AccessListChange><AccessList "
      "soap-enc:arrayType=\"xsd:string[0]\"></AccessList></SetParameterAt"
      "tributesStruct></ParameterList></cwmp:SetParameterAttributes>",
      "RPC-10 what is left out is not changed" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name"
      "\":\"A\",\"Notification\":7}]}",
      "ParameterList[0].Notification: is above 6",
      "RPC-10 a Notification that there is not" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name"
      "\":\"A\",\"Notification\":-1}]}",
      "ParameterList[0].Notification: is below 0",
      "RPC-10 nor below 0" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name"
      "\":\"A\",\"NotificationChange\":true}]}",
      "ParameterList[0].NotificationChange: is no field of this object",
      "RPC-10 what is derived is no field" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Name"
      "\":\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
      "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
      "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
      "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\""
      "}]}",
      "ParameterList[0].Name: is longer than 256 characters",
      "RPC-10 a name of 257 characters" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{\"Notif"
      "ication\":1}]}",
      "ParameterList[0].Name: is missing",
      "RPC-10 no name" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[]}",
      "ParameterList: is not a list of objects",
      "RPC-10 an empty list" },
    { "", "{\"method\":\"ScheduleInform\",\"DelaySeconds\":1}",
      "<cwmp:ScheduleInform><DelaySeconds>1</DelaySeconds><CommandKey>key"
      "-1</CommandKey></cwmp:ScheduleInform>",
      "RPC-25 DelaySeconds, then CommandKey" },
    { "", "{\"method\":\"ScheduleInform\",\"DelaySeconds\":0}",
      "DelaySeconds: is below 1",
      "RPC-25 a delay of 0" },
    { "", "{\"method\":\"ScheduleInform\"}",
      "DelaySeconds: is missing",
      "RPC-25 no delay" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[]}",
      "TimeWindowList: is not a list of objects",
      "RPC-24 no window" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":2"
      ",\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":3,\"WindowEnd"
      "\":4,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":5,\"Window"
      "End\":6,\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList: has more than 2 entries",
      "RPC-24 three windows" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":5,\"WindowEnd\":5"
      ",\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList[0]: ends before it starts",
      "RPC-24 a window of no length" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":1"
      "0,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":9,\"WindowEnd"
      "\":20,\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList[1]: starts before the one before it ends",
      "RPC-24 windows that overlap" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":1"
      "0,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":10,\"WindowEn"
      "d\":20,\"WindowMode\":\"2 Immediately\"}]}",
      "<cwmp:ScheduleDownload><CommandKey>key-1</CommandKey>*",
      "RPC-24 one after the other" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"X Y Z\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":2"
      ",\"WindowMode\":\"3 When Idle\",\"MaxRetries\":-2}]}",
      "TimeWindowList[0].MaxRetries: is below -1",
      "RPC-24 MaxRetries below -1" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Uni"
      "nstall\",\"UUID\":\"2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87\"},{\"Ope"
      "ration\":\"Update\"}]}",
      "<cwmp:ChangeDUState><Operations xsi:type=\"cwmp:UninstallOpStruct"
      "\"><UUID>2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87</UUID></Operations><"
      "Operations xsi:type=\"cwmp:UpdateOpStruct\"></Operations><CommandK"
      "ey>key-1</CommandKey></cwmp:ChangeDUState>",
      "RPC-29 operations in their order, with their type" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Rem"
      "ove\"}]}",
      "Operations[0].Operation: is none of Install, Update, Uninstall",
      "RPC-29 an operation that there is not" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Ins"
      "tall\"}]}",
      "Operations[0].URL: is missing",
      "RPC-29 Install needs a URL" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"URL\":"
      "\"https://h/f\"}]}",
      "Operations[0].Operation: is none of Install, Update, Uninstall",
      "RPC-29 no operation's name" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":"
      "\"Install\",\"URL\":\"https://h/f\",\"UUID\":null,\"Username\":"
      "null}]}",
      "<cwmp:ChangeDUState><Operations xsi:type=\"cwmp:InstallOpStruct\">"
      "<URL>https://h/f</URL></Operations><CommandKey>key-1</CommandKey>"
      "</cwmp:ChangeDUState>",
      "RPC-29 null is as if left out" },
    { "", "{\"method\":\"SetParameterAttributes\",\"ParameterList\":[{"
      "\"Name\":\"A\",\"Notification\":null,\"AccessList\":[]}]}",
      "<cwmp:SetParameterAttributes><ParameterList soap-enc:arrayType=\""
      "cwmp:SetParameterAttributesStruct[1]\"><SetParameterAttributesStruct>"
      "<Name>A</Name><NotificationChange>0</NotificationChange>"
      "<Notification>0</Notification><AccessListChange>1</AccessListChange>*",
      "RPC-10 null is not changed" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Uni"
      "nstall\"}]}",
      "Operations[0].UUID: is missing",
      "RPC-29 Uninstall needs a UUID" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Uni"
      "nstall\",\"UUID\":\"2a68e9bf\"}]}",
      "Operations[0].UUID: is no UUID of 8-4-4-4-12 hexadecimal digits",
      "RPC-29 a UUID that is none" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[{\"Operation\":\"Uni"
      "nstall\",\"UUID\":\"2a68e9bf-3e8a-320c-9c4f-3fd9d71f6d87\",\"URL\""
      ":\"https://h/f\"}]}",
      "Operations[0].URL: is no field of this object",
      "RPC-29 what another operation has" },
    { "", "{\"method\":\"ChangeDUState\",\"Operations\":[]}",
      "Operations: is not a list of objects",
      "RPC-29 no operation" },
    { "", "{\"method\":\"CancelTransfer\"}",
      "CommandKey: is missing",
      "RPC-26 no key is made up" },
    { "", "{\"method\":\"CancelTransfer\",\"CommandKey\":\"\"}",
      "CommandKey: is empty",
      "RPC-26 nor for an empty one" },
    { "", "{\"method\":\"SetVouchers\",\"VoucherList\":[\"PHg+\"]}",
      "<cwmp:SetVouchers><VoucherList soap-enc:arrayType=\"soap-enc:base6"
      "4[1]\"><base64>PHg+</base64></VoucherList></cwmp:SetVouchers>",
      "SetVouchers: base64" },
    { "", "{\"method\":\"SetVouchers\",\"VoucherList\":[\"P*\"]}",
      "VoucherList[0]: *",
      "a voucher that is no base64" }
};
