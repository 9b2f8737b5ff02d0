package CWMP::CPE::Strict;

# What a strict CPE would object to in an ACS' message.  Nothing here changes
# how the CPE goes on; what is wrong is added to its complaints, each as one
# line that names the rule: a test asks for none.

use strict;
use warnings;

my $SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';
my $ENC = 'http://schemas.xmlsoap.org/soap/encoding/';
my $XSD = 'http://www.w3.org/2001/XMLSchema';

# Arguments in the order that the schema wants them.
my %ORDER = (
    GetRPCMethods => [], FactoryReset => [],
    GetParameterValues => ['ParameterNames'],
    SetParameterValues => [qw(ParameterList ParameterKey)],
    GetParameterNames => [qw(ParameterPath NextLevel)],
    GetParameterAttributes => ['ParameterNames'],
    SetParameterAttributes => ['ParameterList'],
    AddObject => [qw(ObjectName ParameterKey)],
    DeleteObject => [qw(ObjectName ParameterKey)],
    Reboot => ['CommandKey'],
    ScheduleInform => [qw(DelaySeconds CommandKey)],
    Download => [qw(CommandKey FileType URL Username Password FileSize
                    TargetFileName DelaySeconds SuccessURL FailureURL)],
    Upload => [qw(CommandKey FileType URL Username Password DelaySeconds)],
    CancelTransfer => ['CommandKey'],
    GetQueuedTransfers => [], GetAllQueuedTransfers => [],
    GetOptions => ['OptionName'], SetVouchers => ['VoucherList'],
    ScheduleDownload => [qw(CommandKey FileType URL Username Password FileSize
                            TargetFileName TimeWindowList)],
);


sub complain {
    my ($cpe, $what) = @_;
    push @{ $cpe->{complaints} }, $what;
    $cpe->say("complaint: $what");
}


sub check_http {
    my ($cpe, $answer) = @_;
    my $type = $answer->header('Content-Type');

    if ($answer->status == 204) {
        complain($cpe, '204 with a Content-Type') if defined $type;
        complain($cpe, '204 with a body') if length $answer->body;
        return;
    }

    complain($cpe, '200 without a body') unless length $answer->body;
    complain($cpe, 'Content-Type is not text/xml')
        unless ($type // '') =~ m{^text/xml\b};
    complain($cpe, 'answer is chunked')
        if defined $answer->header('Transfer-Encoding');
    check_cookies($cpe, $answer);
    check_envelope($cpe, $answer);
}


sub check_cookies {
    my ($cpe, $answer) = @_;
    my @cookies = $answer->header_all('Set-Cookie');

    complain($cpe, 'cookies over 512 bytes')
        if length join('', @cookies) > 512;
    for my $cookie (@cookies) {
        complain($cpe, "cookie without Path=/: $cookie")
            unless $cookie =~ m{;\s*Path=/\s*(?:;|$)}i;
        complain($cpe, "cookie that outlives the session: $cookie")
            if $cookie =~ /;\s*(?:Expires|Max-Age)=/i;
    }
}


sub check_envelope {
    my ($cpe, $answer) = @_;
    my $envelope = $answer->envelope or return;
    my $body = $envelope->child('Body');

    complain($cpe, 'no XML prolog')
        unless $answer->body =~ /^<\?xml version="1.0" encoding="(?i:UTF-8)"/;
    complain($cpe, "Envelope is not of SOAP 1.1")
        if $envelope->{local} ne 'Envelope' || $envelope->{ns} ne $SOAP;
    complain($cpe, 'Body does not hold exactly one element')
        unless $body && $body->kids == 1;
    complain($cpe, 'namespace ' . ($answer->ns // 'none') . " where the "
             . "session has $cpe->{ns}") if ($answer->ns // '') ne $cpe->{ns};

    check_header($cpe, $answer);
    check_tree($cpe, $_) for $answer->fault ? () : $answer->node->kids;
}


sub check_header {
    my ($cpe, $answer) = @_;
    my $header = $answer->envelope->child('Header') or return;
    my %known = (ID => 1, HoldRequests => 1, UseCWMPVersion => 1);

    for my $node ($header->kids) {
        my $must = $node->attribute('mustUnderstand') // '';
        complain($cpe, "header $node->{local} is not known")
            unless $known{ $node->{local} };
        complain($cpe, "header $node->{local} without mustUnderstand=1")
            if $must ne '1';
    }
}


# Children are unqualified, arrays tell how many they hold.
sub check_tree {
    my ($cpe, $node) = @_;

    complain($cpe, "$node->{name} is qualified") if length $node->{ns};
    if (defined(my $type = $node->attribute('arrayType'))) {
        my ($n) = $type =~ /\[(\d+)\]$/;
        complain($cpe, "$node->{local} holds " . $node->kids . ", not $type")
            if ($n // -1) != $node->kids;
    }
    if ($node->{local} eq 'Value') {
        my ($prefix) = ($node->attribute('type') // '') =~ /^([^:]*):/;
        complain($cpe, 'Value without a type of the schema namespace')
            if ($node->{scope}{ $prefix // '' } // '') !~ /^(?:\Q$XSD\E|\Q$ENC\E)$/;
    }
    check_tree($cpe, $_) for $node->kids;
}


# A request of the ACS.
sub check_request {
    my ($cpe, $answer) = @_;
    my $node = $answer->node;
    my $method = $node->{local};

    my $id = $answer->id;
    complain($cpe, "$method without an ID") unless length($id // '');
    complain($cpe, "$method: its ID is over 32 characters")
        if length($id // '') > 32;

    if (my $order = $ORDER{$method}) {
        my $got = join(' ', map { $_->{local} } $node->kids);
        complain($cpe, "$method has arguments '$got'")
            if $got ne join(' ', @$order);
    }
    for my $key (qw(CommandKey ParameterKey)) {
        complain($cpe, "$method: $key is over 32 characters")
            if length($node->value($key) // '') > 32;
    }
}


# A response of the ACS to a request of ours.
sub check_answer {
    my ($cpe, $body, $answer) = @_;
    my ($sent) = $body =~ m{<cwmp:ID[^>]*>([^<]*)};

    complain($cpe, "ID '$sent' was answered with '" . ($answer->id // '') . "'")
        if defined $sent && $sent ne ($answer->id // '');
    complain($cpe, 'InformResponse without MaxEnvelopes 1')
        if $answer->method eq 'InformResponse'
           && ($answer->arg('MaxEnvelopes') // '') ne '1';
}

1;
