/*
 * Which names are those of secrets, and where a URL has a user.
 */

#include "cwmp_sensitive.h"
#include "tap.h"


static const char  *secrets[] = {
    "Device.ManagementServer.Password",
    "Device.ManagementServer.ConnectionRequestPassword",
    "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.KeyPassphrase",
    "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.WEPKey.1.WEPKey",
    "Device.WiFi.AccessPoint.1.Security.PreSharedKey",
    "Device.WiFi.AccessPoint.1.Security.SAEPassphrase",
    "Device.WiFi.AccessPoint.1.Security.RadiusSecret",
    "Device.WiFi.AccessPoint.1.WPS.PIN",
    "Device.Cellular.Interface.1.X_SIMPIN", "X_VENDOR_WpsPin", "PUK", "pin",
    "Device.X.CertPrivateKey", "EncryptionKey", "X_HW_RouteProtocolAuthKey",
    "X_ALU-COM_Client_Auth_Key", "KeyPassphrase2G", "X_TP_WEPKey4",
    "DebugDyPass", "X_TP_PSK", "SFTPpassword", "Userpassword", "PriKey",
    "DefaultPreSharedKey", "Pskey", "PasswordHash", "X_ITBS_PasswordCrypto",
    "PASSWORD", "pass_word", "HexadecimalPassword", "KeyValue", "SharedKey",
    "BatchTableSecretKey", "ADMINPASSWD", "Pass", "psk",
    "Device.Cellular.Interface.1.USIM.PIN1", "X_Puk2", "pin2", "SIPAuthPass1",
    "ApiKey", "X_PassKey", "MasterKey1", "adminpass", "USERPASS",
    "Passcode", "X_AdminPsw", "X_WLANKey", "X_WifiKey2", "NetworkKey",
    "Device.X.AccessKey", "AccessKeySecret", "X_AuthToken", "Token",
    "Device.X_KMC.Domain.1.MK.1.Key", "X.KEY", "Key2", "key",
    "New_PIN_Code", "PINCode", "X_PukCode1",
    "Device.LocalAgent.ControllerTrust.Challenge.1.Value",
    "Device.LocalAgent.ControllerTrust.Challenge.[a b].Value",
    "Device.USPAgent.ControllerTrust.Challenge.12.Value"
};

static const char  *others[] = {
    "", ".", "Device.", "Device.ManagementServer.ParameterKey", "CommandKey",
    "Device.ManagementServer.Username", "WEPKeyIndex", "PasswordRequired",
    "Device.DeviceInfo.SoftwareVersion", "Device.X.FaxPassThrough.",
    "PassthroughLease", "EncryptionKeySizes", "PINCheck", "TotalPSKFailures",
    "Device.Password.Enable", "PasswordUserSelectable", "SecretForwarderEnable",
    "SecretNumberOfEntries", "X_TP_PSKType", "Spin", "Secret.", "FilterKey",
    "KeyIdentifier", "MarkingKey", "Device.Security.Certificate", "Keylife",
    "AllowRootPasswordLogin", "X_HW_WPAand11iAuthenticationMode", "Screen",
    "Spin1", "Challenge.Value", "Challenge.a].Value", "].Value", "Device.X.1.Value", "Value", ".Value", "1",
    "Device.XChallenge.1.Value", "ParameterKey1", "TokenType", "Stock", "Pass1x",
    "KeyId", "Keys", "Device.Key.1.Id", "Rekey", "MonKey", "SpinCode",
    "ProvisioningCode", "PINCodeRetries"
};

static const struct {
    const char  *text;
    const char  *user;                  /* NULL: none */
} urls[] = {
    { "https://fs.example/a.bin", NULL },
    { "ftp://joe:pw@fs.example/a.bin", "joe:pw" },
    { "ftp://joe@fs.example/a.bin", "joe" },
    { "ftp://joe:p@w@fs.example/a@b.bin", "joe:p@w" },
    { "https://fs.example/a@b.bin", NULL },
    { "cannot get 'http://a:b@c/d': refused", "a:b" },
    { "mail joe@example for http://x/", NULL },
    { "mail a@b.net; ftp://u:pw@h/x fails", "u:pw" },
    { "x@y http://u:p@h/", "u:p" }, { "a@b/c@d?e@f#://u:p@h", "u:p" },
    { "http://a:b@h1 http://c:d@h2", "a:b" }, { "x@y://u:p@h", "u:p" },
    { "http:/u@h, x://@h", NULL },
    { "://@x", NULL }, { "@", NULL }, { "", NULL }, { "://a:b@", "a:b" }
};


static cwmp_str_t
str(const char *s)
{
    cwmp_str_t  r;

    r.data = (unsigned char *) s;
    r.len = strlen(s);

    return r;
}


static unsigned char  many[3000000];


int
main(void)
{
    int         found;
    size_t      i, from, len;
    cwmp_str_t  s;

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        s = str(secrets[i]);
        ok(cwmp_sensitive_name(&s), "secret: %s", secrets[i]);
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        s = str(others[i]);
        ok(!cwmp_sensitive_name(&s), "no secret: \"%s\"", others[i]);
    }

    s.data = (unsigned char *) "Device.\0\xff" "Password";
    s.len = 17;
    ok(cwmp_sensitive_name(&s), "with any bytes before it");

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        s = str(urls[i].text);
        found = cwmp_sensitive_url(&s, &from, &len);
        ok(found == (urls[i].user != NULL)
           && (!found || (len == strlen(urls[i].user)
                          && memcmp(s.data + from, urls[i].user, len) == 0)),
           "a URL: %s", urls[i].text);
    }

    /* a text that says nothing costs no more than its bytes: this one took
       minutes when each @ was looked back from */

    for (i = 0; i < sizeof(many); i++) {
        many[i] = "u@?"[i % 3];
    }

    s.data = many;
    s.len = sizeof(many);
    ok(!cwmp_sensitive_url(&s, &from, &len), "a million of @");

    return done();
}
