#!/usr/bin/perl

# What a CPE says never reaches a log as it is: escapes of terminals, line ends,
# markup, bytes that are no text.  In every place that has a way into a line.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Daemon qw(slurp);
use CWMP::Envelope ':all';
use CWMP::Script;
use CWMP::Test;

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");

my @OURS = qw(device oui product_class serial session method events fault task
              redis_time);
my $t = CWMP::Test->new(level => 'info',
    http => "cwmp_secret_key $dir/key; log_format all '\$request \$http_user_agent "
        . '$http_referer $http_cookie $http_authorization $remote_user '
        . join(' ', map { "\$cwmp_$_" } @OURS) . "';",
    server => q{
        access_log logs/all.log all;
        location = /auth { cwmp_auth digest acs.example; cwmp_acs; }
        location = /basic { cwmp_auth basic acs.example behind_tls; cwmp_acs; }
        location = /named { cwmp_identity $http_x_name; cwmp_acs; }});
my $n = 0;

# "#" is what shows where the text went in
my %HOSTILE = (
    'an escape' => "#\e[31m#\e]0;x\a#", 'a C1 escape' => "#\x{9b}31m#\x{90}x#",
    'line ends' => "#\r\n2026/01/01 00:00:00 [x] forged\n#",
    'markup' => '#<script>alert(1)</script>#', 'a format' => '#%n%s%V#',
    'Unicode' => "#\x{202e}\x{feff}\x{e9}#", 'DEL and NUL' => "#\x7f\x08#",
);

my ($said, %seen) = ('');

# what the error log and the access log have of new lines
sub logs {
    return map {
        my $text = slurp($_);
        my $new = substr($text, $seen{$_} // 0);
        $seen{$_} = length $text;
        $new;
    } $t->node->error_log, $t->prefix . '/logs/all.log';
}

# nothing in them but text, of which none is markup
sub judge {
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($error, $access) = logs();
    $said .= $error;
    my ($odd) = join "\n", "$error$access" =~ /^(.*[^ -~\n].*)$/gm;
    is length $odd, 0, "$what: text only"
        or diag $odd =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    ($odd) = "$error$access" =~ /^(\d{4}\S+ \S+ \[x\] forged.*)$/m;
    ok !defined $odd, '... no line that it made' or diag $odd;
    $odd = join "\n", $error =~ /^(.*<script.*)$/gm;
    is $odd, '', '... no markup';
}

sub fresh { return CWMP::Script->new($t, 'L' . ++$n, @_) }
sub try { my ($code) = @_; return eval { $code->(); 1 } || 0 }

# a header's value has no line end, and is bytes
sub in_header { my ($text) = @_; return $text =~ s/[\r\n]//gr =~ s/([^\0-\xff])/?/gr }

# what XML can have of it, by references too
sub in_xml { my ($text) = @_; return $text =~ s/[\0-\x08\x0b\x0c\x0e-\x1f]//gr }


my @HEADERS = ('User-Agent', 'Cookie', 'Referer', 'SOAPAction', 'Content-Encoding',
               'X-Name', 'X-Forwarded-For');

subtest 'headers' => sub {
    for my $how (sort keys %HOSTILE) {
        my $text = in_header($HOSTILE{$how});
        for my $name (@HEADERS) {
            my $d = fresh();
            try(sub { $d->post($d->inform_text, headers => [[$name, $text]]) });
        }
        for my $type ($text, "text/xml; charset=$text") {
            my $d = fresh();
            try(sub { $d->post($d->inform_text, content_type => $type) });
        }
        my $d = fresh();
        try(sub { $d->post($d->inform_text, headers => [['X-Name', $text]],
                           url => $t->url(0, '/named')) });
        my $auth = CWMP::Auth->new(user => $text, password => 'pw');
        try(sub { $d->post($d->inform_text, headers => [$auth->basic],
                           url => $t->url(0, '/basic')) });
        try(sub {
            my %url = (url => $t->url(0, '/auth'));
            $auth->challenge($d->post($d->inform_text, %url));
            $d->post($d->inform_text, headers => [$auth->header], %url);
            $d->post($d->inform_text, headers => [['Authorization', $text]], %url);
        });
        judge $how;
    }
};

my @INFORMS = (
    sub { (manufacturer => $_[0]) }, sub { (oui => $_[0]) },
    sub { (class => $_[0]) }, sub { (serial => $_[0] . $n) },
    sub { (id => $_[0]) }, sub { (versions => $_[0]) }, sub { (timeout => $_[0]) },
    sub { (time => $_[0]) }, sub { (retry => $_[0]) },
    sub { (events => [$_[0]]) }, sub { (events => [['M Reboot', $_[0]]]) },
    sub { (events => [["M $_[0]", $_[0]]]) },
    (map { my $name = $_; sub {
        (events => ['4 VALUE CHANGE'], params => [["Device.$name", 'string', $_[0]]]) } }
     qw(DeviceInfo.SoftwareVersion DeviceInfo.HardwareVersion
        ManagementServer.ConnectionRequestURL ManagementServer.ParameterKey)),
    sub { (params => [["$_[0].$_[0]", 'string', 'x']]) },
    sub { (params => [['Device.X', $_[0], 'x']]) },
    sub { (params => [["Device.$_[0]", 'string', 'x'],
                      ["Device.$_[0]", 'string', 'x']]) },
);

subtest 'an Inform' => sub {
    for my $how (sort keys %HOSTILE) {
        my $text = in_xml($HOSTILE{$how});
        for my $inform (@INFORMS) {
            my $d = fresh();
            try(sub { $d->post($d->inform_text($inform->($text)));
                      $d->post($d->inform_text($inform->($text))); $d->empty });
        }
        judge $how;
    }
};

my @BODIES = (
    sub { request($_[0], 'GetRPCMethods') },
    sub { transfer_complete(key => $_[0], code => 9001, string => $_[0]) },
    sub { autonomous_transfer_complete(announce => $_[0], url => $_[0],
                                       type => $_[0], string => $_[0]) },
    sub { request('r', 'RequestDownload', element('FileType', $_[0])) },
    sub { request('r', 'Kicked', join '', map { element($_, $_[0]) }
                                 qw(Command Referer Arg Next)) },
    sub { request('r', 'X', element('Y', $_[0])) },
    sub { envelope('<x/>', header => '<x xmlns="' . $_[0] =~ s/[<"&]/-/gr
                                     . '" soap-env:mustUnderstand="1"/>') },
);

subtest 'requests and answers' => sub {
    for my $how (sort keys %HOSTILE) {
        my $text = in_xml($HOSTILE{$how});
        for my $body (@BODIES) {
            my $d = fresh();
            try(sub { $d->inform; $d->post($body->($text)); $d->empty });
        }
        for my $answer (sub { gpv_response($_[0]->id, ["Device.$text", $text, $text]) },
                        sub { gpv_response($text, ['Device.X', 'string', $text]) },
                        sub { fault($_[0]->id, 9005, $text) },
                        sub { fault($_[0]->id, $text, $text, [$text, $text, $text]) },
                        sub { response($_[0]->id, 'Reboot') })
        {
            my $d = fresh();
            $d->give({ method => 'GetParameterValues', id => 'g',
                       ParameterNames => ['Device.X', 'Device.Y'] });
            try(sub { my $r = $d->begin; $d->post($answer->($r)) for 1 .. 2 });
        }
        judge $how;
    }
};

# as they come, with names that XML allows or not
subtest 'bytes that are no XML' => sub {
    for my $text ("\e[31m", "\x9b31m", "\xc2\x9b31m", "\xff\xfe", "<script>", "&#27;[31m",
                  "&#x9b;31m", "\xe2\x80\xae")
    {
        my $d = fresh();
        my $body = request('i', 'Inform', '<DeviceId>@</DeviceId>');
        for my $where ('<DeviceId>@</DeviceId>', 'Inform', 'soap-env:Body', 'xmlns:cwmp="',
                       '<cwmp:ID', 'urn:dslforum-org:cwmp-1-0') {
            try(sub { $d->post($body =~ s/(\Q$where\E)/$1$text/r) });
            try(sub { $d->post($d->inform_text =~ s/(\Q$where\E)/$1$text/r) });
        }
        try(sub { $d->post($d->inform_text =~ s/<Name>Device/<Name>$text/gr) });
        try(sub { $d->post($d->inform_text =~ s/cwmp:Inform\b/cwmp:Inf$text/gr) });
        try(sub { $d->inform; $d->post(request('x', "Foo$text")) });
        try(sub { $d->post($text x 3000) });
    }
    judge 'all of them';
};

subtest 'what admins say' => sub {
    my $d = fresh();
    $d->give('{"method":"\u001b[31m<script>"}', "{\e[31m<script>", '{"method":"Reboot",'
             . '"id":"<script>"}', '{"method":"Reboot","<script>\u009b":1}',
             '{"method":"Reboot","CommandKey":"<script>\u009b"}');
    $d->session;
    judge 'a task';
};

cmp_ok scalar(() = $said =~ /#/g), '>', 20, '(much of it was there)';

done_testing;
