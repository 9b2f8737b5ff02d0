package CWMP::Raw;

# The scripted CPE: sends exactly the bytes a test wants, as one would find
# them on the wire, and hands back what came.  Nothing is decided here; a CPE
# that behaves is CWMP::CPE.
#
#   my $raw = CWMP::Raw->new(url => $t->url);        # or url => 'unix:/path'
#   my $r = $raw->post(inform(serial => 'A1'));
#   is $r->status, 200; is $r->method, 'InformResponse'; is $r->id, 'inform-1';
#   $r = $raw->post('');                              # the empty POST
#
# post($body, %how):
#   url, new => 1 (new connection), close => 1 (Connection: close),
#   cookie => undef or 'a=b' (in place of the jar), extra_cookie => 'a=b',
#   headers => [[name, value]...], content_type => undef or text,
#   chunk => bytes per chunk, expect => 1 (waits for 100, at most 1 s),
#   split => bytes per write, delay => seconds between them,
#   partial => send only so many bytes of the whole and return (undef),
#   no_read => 1, verb => 'GET', version => '1.0', resend => 0
#
# On a connection that the server had closed before it answered anything, the
# request is sent once more on a new one, as HTTP clients do; resend => 0 is
# for tests that want to see it.  Failing to get an answer dies.

use strict;
use warnings;

use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time sleep);

use CWMP::Envelope ':all';
use CWMP::RawResponse;

our @EXPORT_OK = @CWMP::Envelope::EXPORT_OK;
our %EXPORT_TAGS = (build => \@EXPORT_OK);


sub new {
    my ($class, %opt) = @_;
    return bless { timeout => 10, jar => {}, resent => 0, connections => 0,
                   %opt, buffer => '' }, $class;
}


# --- connection ------------------------------------------------------------

# http://host:port/path, or unix:/path/of.sock:/uri
sub parse_url {
    my ($url) = @_;
    return { path => $1, uri => $2 || '/cwmp', host => 'localhost',
             key => "unix:$1" }
        if $url =~ m{^unix:([^:]+)(?::(/.*))?$};

    my ($host, $port, $uri) = $url =~ m{^http://([^:/]+|\[[^]]+\])(?::(\d+))?(/.*)?$}
        or die "cannot use the URL '$url'\n";
    $port ||= 80;
    return { peer => $host, port => $port, uri => $uri || '/',
             host => "$host:$port", key => "$host:$port" };
}


sub connect {
    my ($self, $to) = @_;
    my $s = $to->{path}
        ? IO::Socket::UNIX->new(Peer => $to->{path})
        : IO::Socket::INET->new(PeerAddr => $to->{peer}, Proto => 'tcp',
                                PeerPort => $to->{port},
                                Timeout => $self->{timeout});

    $s or die "cannot connect to $to->{key}: $!\n";
    binmode($s);
    $s->autoflush(1);
    @$self{qw(sock key buffer)} = ($s, $to->{key}, '');
    $self->{connections}++;
    return $s;
}


sub disconnect {
    my ($self) = @_;
    CORE::close(delete $self->{sock}) if $self->{sock};
    $self->{buffer} = '';
}


# Closes with RST, as a CPE that lost its power looks like.
sub reset {
    my ($self) = @_;
    my $s = $self->{sock} or return;
    setsockopt($s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    $self->disconnect;
}


sub connected { return $_[0]{sock} ? 1 : 0 }


# --- one request -----------------------------------------------------------

sub post {
    my ($self, $body, %how) = @_;
    %how = (%{ $self->{defaults} || {} }, %how);
    $self->{last_body} = $body;

    my $to = parse_url($how{url} // $self->{url});
    $self->disconnect if $how{new} || $self->{new_connection}
                         || ($self->{key} // '') ne $to->{key};
    my $reused = $self->{sock} ? 1 : 0;
    $self->connect($to) unless $reused;

    my $answer = eval { $self->exchange($to, $body, \%how) };
    return $answer unless $@;

    my $why = $@;
    $self->disconnect;
    die $why unless $reused && ($how{resend} // 1) && $why =~ /^nothing/;

    $self->{resent}++;
    $self->connect($to);
    return $self->exchange($to, $body, \%how);
}


sub empty { my ($self, %how) = @_; return $self->post('', %how) }


# The same bytes as the last request, as after a lost reply.
sub repeat {
    my ($self, %how) = @_;
    return $self->post($self->{last_body}, %how);
}


sub get {
    my ($self, $uri, %how) = @_;
    my $to = parse_url($self->{url});
    my $url = $to->{path} ? "unix:$to->{path}:$uri" : "http://$to->{host}$uri";
    return $self->post('', url => $url, verb => 'GET', cookie => undef, %how);
}


sub exchange {
    my ($self, $to, $body, $how) = @_;
    my $head = $self->head($to, $body, $how);
    my $continued;

    if ($how->{expect}) {
        $self->send_bytes($head);
        $continued = $self->wait_continue;
        return $continued if ref $continued;        # refused before the body
        $self->send_bytes(framed($body, $how->{chunk}), $how);
    } else {
        $self->send_bytes($head . framed($body, $how->{chunk}), $how);
    }

    return if defined $how->{partial} || $how->{no_read};

    my $answer = $self->read_response($how);
    $answer->{continued} = $continued;
    return $answer;
}


sub head {
    my ($self, $to, $body, $how) = @_;
    my $verb = $how->{verb} // 'POST';
    my @lines = ("$verb $to->{uri} HTTP/" . ($how->{version} // '1.1'),
                 "Host: $to->{host}");

    push @lines, 'Connection: close' if $how->{close};
    push @lines, 'Expect: 100-continue' if $how->{expect};
    push @lines, body_headers($body, $how) if $verb ne 'GET';

    my $cookie = $self->cookie_header($how);
    push @lines, "Cookie: $cookie" if length $cookie;
    push @lines, map { "$_->[0]: $_->[1]" } @{ $how->{headers} || [] };
    return join("\r\n", @lines, '', '');
}


sub body_headers {
    my ($body, $how) = @_;
    my $type = exists $how->{content_type} ? $how->{content_type}
               : length $body ? 'text/xml; charset="utf-8"' : undef;

    return ((defined $type ? "Content-Type: $type" : ()),
            (length $body ? 'SOAPAction:' : ()),
            ($how->{chunk} ? 'Transfer-Encoding: chunked'
                           : 'Content-Length: ' . length $body));
}


sub framed {
    my ($body, $size) = @_;
    return $body unless $size;
    my $out = '';

    for (my $at = 0; $at < length $body; $at += $size) {
        my $piece = substr($body, $at, $size);
        $out .= sprintf("%x\r\n", length $piece) . "$piece\r\n";
    }
    return "${out}0\r\n\r\n";
}


sub send_bytes {
    my ($self, $bytes, $how) = @_;
    my $size = $how->{split} || length($bytes) || 1;

    $bytes = substr($bytes, 0, $how->{partial}) if defined $how->{partial};
    for (my $at = 0; $at < length $bytes; $at += $size) {
        sleep($how->{delay}) if $at && $how->{delay};
        $self->send_piece(substr($bytes, $at, $size)) or return;
    }
}


# An early answer and a close make writing fail; the answer is what counts.
sub send_piece {
    my ($self, $piece) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $done = 0;

    while ($done < length $piece) {
        my $n = syswrite($self->{sock}, $piece, length($piece) - $done, $done);
        next if !defined $n && $!{EINTR};
        return 0 unless $n;
        $done += $n;
    }
    return 1;
}


# More bytes of a request begun with partial => n, or any bytes at all.
sub send_raw {
    my ($self, $bytes, %how) = @_;
    $self->connect(parse_url($how{url} // $self->{url})) unless $self->{sock};
    return $self->send_bytes($bytes, \%how);
}


# --- reading ---------------------------------------------------------------

sub wait_continue {
    my ($self) = @_;

    IO::Select->new($self->{sock})->can_read(1) or return 0;
    my $answer = $self->read_response({ interim => 1 });
    return $answer->status == 100 ? 1 : $answer;
}


# The next response on this connection.
sub read_response {
    my ($self, $how) = @_;
    my $until = time() + ($how->{timeout} // $self->{timeout});
    my $answer;

    while (1) {
        $self->fill($until) until $self->{buffer} =~ /\r\n\r\n/;
        $answer = CWMP::RawResponse->from_head($self->take_head);
        last if $answer->status != 100 || $how->{interim};
    }
    return $answer if $answer->status == 100;

    $self->read_body($answer, $how, $until);
    $self->store_cookies($answer);
    $self->disconnect if $answer->closes;
    return $answer;
}


sub take_head {
    my ($self) = @_;
    $self->{buffer} =~ s/^(.*?)\r\n\r\n//s;
    return $1;
}


sub read_body {
    my ($self, $answer, $how, $until) = @_;
    my $length = $answer->header('Content-Length');

    return if $answer->status == 204 || $answer->status == 304
              || ($how->{verb} // '') eq 'HEAD';

    if (lc($answer->header('Transfer-Encoding') // '') eq 'chunked') {
        $answer->{body} = $self->read_chunks($until);
        return;
    }
    if (defined $length) {
        $answer->{body} = $self->take($length, $until);
        return;
    }

    1 while eval { $self->fill($until); 1 };    # to the end of the connection
    $answer->{body} = $self->{buffer};
    $self->disconnect;
}


sub read_chunks {
    my ($self, $until) = @_;
    my $body = '';

    while (1) {
        $self->fill($until) until $self->{buffer} =~ /\r\n/;
        $self->{buffer} =~ s/^([0-9A-Fa-f]+)[^\r]*\r\n//
            or die "bad chunk: '" . substr($self->{buffer}, 0, 40) . "'\n";
        my $size = hex($1);
        $body .= $self->take($size, $until);
        $self->take(2, $until);
        return $body unless $size;
    }
}


sub take {
    my ($self, $n, $until) = @_;
    $self->fill($until) while length $self->{buffer} < $n;
    return substr($self->{buffer}, 0, $n, '');
}


sub fill {
    my ($self, $until) = @_;
    my $got = length $self->{buffer} ? 'part of an answer' : 'nothing';
    my $s = $self->{sock} or die "$got came: not connected\n";
    my $left = $until - time();

    if ($left <= 0 || !IO::Select->new($s)->can_read($left)) {
        die "no answer in time ($got came)\n";
    }
    my $n = sysread($s, $self->{buffer}, 262144, length $self->{buffer});
    die "$got came before the connection was closed"
        . (defined $n ? '' : " ($!)") . "\n" unless $n;
}


# True when the server closes this idle connection within so many seconds.
sub closed_by_peer {
    my ($self, $seconds) = @_;
    my $s = $self->{sock} or return 1;
    IO::Select->new($s)->can_read($seconds) or return 0;
    return !sysread($s, my $byte, 1);
}


# --- cookies ---------------------------------------------------------------

sub store_cookies {
    my ($self, $answer) = @_;
    for my $line ($answer->header_all('Set-Cookie')) {
        my ($name, $value) = $line =~ /^\s*([^=;\s]+)=([^;]*)/ or next;
        $self->{jar}{$name} = $value;
    }
}


sub cookie_header {
    my ($self, $how) = @_;
    my $jar = $self->{jar};
    my $own = exists $how->{cookie} ? $how->{cookie}
              : join('; ', map { "$_=$jar->{$_}" } sort keys %$jar);
    return join('; ', grep { length } $own // '', $how->{extra_cookie} // '');
}


sub cookie { return $_[0]->cookie_header({}) }
sub forget_cookies { $_[0]{jar} = {}; return $_[0] }

1;
