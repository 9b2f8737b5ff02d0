package CWMP::FakeACS;

# A tiny ACS in a forked process, for tests of the CPE and of the raw client
# themselves.  It answers an Inform, then gives its requests one after another
# to whoever posts an empty body or a response, then 204.
#
#   my $acs = CWMP::FakeACS->new(requests => [['Reboot', '<CommandKey>k..']]);
#   $acs->url; $acs->seen; $acs->stop;
#
# seen() lists what came: [verb, headers, body] each.  By X-Fake headers a test
# asks for trouble: "close" (answer, then close without saying so), "drop"
# (close without an answer), "status 503", "chunked".

use strict;
use warnings;

use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use parent 'CWMP::Forked';

use CWMP::Envelope ();
use CWMP::Raw ();

my $JSON = JSON::PP->new->latin1;


sub new {
    my ($class, %opt) = @_;
    my $listen = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1',
                                       Proto => 'tcp', ReuseAddr => 1)
        or die "listen: $!\n";
    my $self = bless { ns => 'urn:dslforum-org:cwmp-1-2', requests => [],
                       %opt, port => $listen->sockport, at => 0,
                       log => File::Temp->new }, $class;

    return $self->begin(sub { $self->serve($listen) });
}


sub url { return "http://127.0.0.1:$_[0]{port}/cwmp" }


sub seen {
    my ($self) = @_;
    open(my $fh, '<', $self->{log}->filename) or die "log: $!\n";
    return map { $JSON->decode($_) } readline($fh);
}


# --- in the child ----------------------------------------------------------

sub serve {
    my ($self, $listen) = @_;
    my ($parent, $select) = (getppid(), IO::Select->new($listen));

    while (getppid() == $parent) {
        $select->can_read(0.5) or next;
        my $client = $listen->accept or next;
        $client->autoflush(1);
        1 while $self->one_request($client);
        close($client);
    }
}


sub one_request {
    my ($self, $client) = @_;
    my ($verb, $headers) = read_head($client) or return 0;
    print $client "HTTP/1.1 100 Continue\r\n\r\n" if $headers->{expect};
    my $body = read_body($client, $headers);

    print { $self->{log} } $JSON->encode([$verb, $headers, $body]), "\n";
    $self->{log}->flush;

    my $trouble = $headers->{'x-fake'} // '';
    return 0 if $trouble eq 'drop';
    if ($trouble =~ /^status (\d+)/) {
        print $client "HTTP/1.1 $1 Sorry\r\nContent-Length: 0\r\n\r\n";
        return 1;
    }
    print $client $self->answer($body, $trouble eq 'chunked');
    return 0 if $trouble eq 'close' || ($headers->{connection} // '') eq 'close';
    return 1;
}


sub read_head {
    my ($client) = @_;
    local $/ = "\r\n";
    my $first = readline($client) // return;
    my ($verb) = $first =~ /^(\S+)/;
    my %headers;

    while (defined(my $line = readline($client))) {
        last if $line eq "\r\n";
        my ($name, $value) = $line =~ /^([^:]+):\s*(.*?)\s*$/;
        $headers{ lc $name } = $value;
    }
    return ($verb, \%headers);
}


sub read_body {
    my ($client, $headers) = @_;
    my $body = '';

    if (($headers->{'transfer-encoding'} // '') eq 'chunked') {
        local $/ = "\r\n";
        while (1) {
            my $size = hex(readline($client) =~ s/\s+$//r);
            read($client, $body, $size, length $body);
            read($client, my $end, 2);
            return $body unless $size;
        }
    }
    read($client, $body, $headers->{'content-length'} || 0);
    return $body;
}


sub answer {
    my ($self, $body, $chunked) = @_;
    my ($id) = $body =~ m{<cwmp:ID[^>]*>([^<]*)};
    $id = CWMP::Envelope::xml_unescape($id) if defined $id;
    my ($method) = $body =~ m{Body><(?:cwmp:|soap-env:)(\w+)};
    my %o = (ns => $self->{ns});

    if (($method // '') eq 'Inform') {
        $self->{at} = 0;
        $self->{session}++;
        return http(CWMP::Envelope::response($id, 'Inform',
            '<MaxEnvelopes>1</MaxEnvelopes>', %o), $chunked,
            "Set-Cookie: s=$self->{session}; Path=/; HttpOnly\r\n");
    }
    if (($method // '') =~ /^(?:TransferComplete|GetRPCMethods)$/) {
        return http(CWMP::Envelope::response($id, $method, '', %o), $chunked);
    }

    my $next = $self->{requests}[ $self->{at}++ ]
        or return "HTTP/1.1 204 No Content\r\n\r\n";
    return http(CWMP::Envelope::request("acs-$self->{at}", @$next, %o),
                $chunked);
}


sub http {
    my ($body, $chunked, $more) = @_;
    my $head = 'HTTP/1.1 200 OK' . "\r\n" . ($more // '')
               . 'Content-Type: text/xml; charset="utf-8"' . "\r\n";

    return $head . 'Content-Length: ' . length($body) . "\r\n\r\n$body"
        unless $chunked;
    return "${head}Transfer-Encoding: chunked\r\n\r\n"
           . CWMP::Raw::framed($body, 100);
}

1;
