
/*
 * As task_cases.h, for the RPCs whose arguments are derived, of several types,
 * bounded, or bounded by one another.
 */

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
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[]}",
      "TimeWindowList: is not a list of objects",
      "RPC-24 no window" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":2"
      ",\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":3,\"WindowEnd"
      "\":4,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":5,\"Window"
      "End\":6,\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList: has more than 2 entries",
      "RPC-24 three windows" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":5,\"WindowEnd\":5"
      ",\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList[0]: ends before it starts",
      "RPC-24 a window of no length" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":1"
      "0,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":9,\"WindowEnd"
      "\":20,\"WindowMode\":\"2 Immediately\"}]}",
      "TimeWindowList[1]: starts before the one before it ends",
      "RPC-24 windows that overlap" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
      "tps://h/f\",\"TimeWindowList\":[{\"WindowStart\":1,\"WindowEnd\":1"
      "0,\"WindowMode\":\"2 Immediately\"},{\"WindowStart\":10,\"WindowEn"
      "d\":20,\"WindowMode\":\"2 Immediately\"}]}",
      "<cwmp:ScheduleDownload><CommandKey>key-1</CommandKey>*",
      "RPC-24 one after the other" },
    { "", "{\"method\":\"ScheduleDownload\",\"FileType\":\"1 F\",\"URL\":\"ht"
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
