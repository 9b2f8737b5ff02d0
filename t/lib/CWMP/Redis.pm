package CWMP::Redis;

# A small Redis client (RESP2; unix socket or TCP) and what a test or an
# admin's program needs to know of the key schema: an ID's partition and keys,
# pushing tasks, reading results and parameters.
#
#   my $r = CWMP::Redis->new(path => 'run/redis.sock');
#   $r->push_task($id, {method => 'Reboot'});
#   my $result = $r->wait_result($id, 'fw-17', 5);
#
# cmd() dies with a CWMP::Redis::Error on an error reply; try() returns it.
# Character strings (those with Perl's UTF-8 flag) go out as UTF-8, others as the
# bytes they are; what comes back is bytes, except where JSON is decoded
# and in params().  A connection that the server closed is opened again.

use strict;
use warnings;

use Encode ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use Time::HiRes qw(time sleep);

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;


sub new {
    my ($class, %opt) = @_;
    $opt{port} ||= 6379 unless $opt{path};
    return bless { host => '127.0.0.1', timeout => 30, prefix => 'cwmp',
                   buffer => '', %opt }, $class;
}


# --- the wire --------------------------------------------------------------

sub connect {
    my ($self) = @_;
    my $s = $self->{path}
        ? IO::Socket::UNIX->new(Peer => $self->{path})
        : IO::Socket::INET->new(PeerAddr => $self->{host}, Proto => 'tcp',
                                PeerPort => $self->{port},
                                Timeout => $self->{timeout});

    $s or die 'cannot connect to Redis at ' . $self->where . ": $!\n";
    binmode($s);
    @$self{qw(sock buffer)} = ($s, '');

    my @auth = grep { defined } @$self{qw(user password)};
    if (@auth) {
        my $reply = $self->exchange('AUTH', @auth);
        die $reply if ref $reply;
    }
    $self->exchange('SELECT', $self->{db}) if $self->{db};
    return $self;
}


sub where {
    my ($self) = @_;
    return $self->{path} // "$self->{host}:$self->{port}";
}


sub close {
    my ($self) = @_;
    delete $self->{sock};
    $self->{buffer} = '';
}


# Nothing is readable between commands unless the server went away.
sub ensure_connected {
    my ($self) = @_;
    my $s = $self->{sock};

    $self->close if $s && IO::Select->new($s)->can_read(0);
    $self->connect unless $self->{sock};
}


sub cmd {
    my ($self, @args) = @_;
    my $reply = $self->try(@args);
    die $reply if is_error($reply);
    return $reply;
}


sub try {
    my ($self, @args) = @_;
    $self->ensure_connected;
    return $self->exchange(@args);
}


# Several commands in one write; the list of replies, errors among them.
sub pipeline {
    my ($self, @commands) = @_;
    $self->ensure_connected;
    $self->write(join('', map { encode_command(@$_) } @commands));
    return map { $self->read_reply } @commands;
}


sub exchange {
    my ($self, @args) = @_;
    $self->write(encode_command(@args));
    return $self->read_reply;
}


sub encode_command {
    my (@args) = @_;
    my $out = '*' . @args . "\r\n";

    for my $arg (@args) {
        die "undefined argument in Redis command $args[0]\n" if !defined $arg;
        my $bytes = utf8::is_utf8($arg) ? Encode::encode_utf8($arg) : $arg;
        $out .= '$' . length($bytes) . "\r\n$bytes\r\n";
    }
    return $out;
}


sub write {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $done = 0;

    while ($done < length $bytes) {
        my $n = syswrite($self->{sock}, $bytes, length($bytes) - $done, $done);
        next if !defined $n && $!{EINTR};
        $self->lost("write: $!") unless defined $n;
        $done += $n;
    }
}


sub lost {
    my ($self, $why) = @_;
    $self->close;
    die 'lost Redis at ' . $self->where . ": $why\n";
}


sub fill {
    my ($self) = @_;
    IO::Select->new($self->{sock})->can_read($self->{timeout})
        or $self->lost("no answer for $self->{timeout} seconds");
    my $n = sysread($self->{sock}, $self->{buffer}, 65536,
                    length $self->{buffer});
    return if !defined $n && $!{EINTR};
    $self->lost($n // 1 ? 'connection closed' : "read: $!") unless $n;
}


sub read_line {
    my ($self) = @_;
    $self->fill while index($self->{buffer}, "\r\n") < 0;
    my $at = index($self->{buffer}, "\r\n");
    my $line = substr($self->{buffer}, 0, $at);
    substr($self->{buffer}, 0, $at + 2, '');
    return $line;
}


sub read_reply {
    my ($self) = @_;
    my ($kind, $rest) = $self->read_line =~ /^(.)(.*)$/s
        or $self->lost('bad reply');

    return $rest if $kind eq '+' || $kind eq ':';
    return CWMP::Redis::Error->new($rest) if $kind eq '-';
    return $self->read_bulk($rest) if $kind eq '$';
    $self->lost("bad reply '$kind$rest'") if $kind ne '*';
    return undef if $rest < 0;
    return [map { $self->read_reply } 1 .. $rest];
}


sub read_bulk {
    my ($self, $length) = @_;
    return undef if $length < 0;
    $self->fill while length $self->{buffer} < $length + 2;
    my $bytes = substr($self->{buffer}, 0, $length);
    substr($self->{buffer}, 0, $length + 2, '');
    return $bytes;
}


sub is_error { return ref $_[0] && ref $_[0] eq 'CWMP::Redis::Error' }

sub list { my $self = shift; return @{ $self->cmd(@_) || [] } }
sub hash { my $self = shift; return { @{ $self->cmd(@_) || [] } } }


# --- keys ------------------------------------------------------------------

# CRC16/XMODEM, as Redis Cluster hashes keys.
sub crc16 {
    my ($text) = @_;
    my $crc = 0;

    for my $byte (unpack('C*', $text)) {
        $crc ^= $byte << 8;
        for (1 .. 8) {
            $crc = $crc & 0x8000 ? (($crc << 1) ^ 0x1021) : $crc << 1;
            $crc &= 0xFFFF;
        }
    }
    return $crc;
}


# ('00D09E', 'Box 3000', 'AB-12/7') -> 00D09E-Box%203000-AB%2D12%2F7
sub device_id {
    my ($oui, $class, $serial) = @_;
    my @parts = ($oui, length($class // '') ? escape_id($class) : (),
                 escape_id($serial));
    return join('-', @parts);
}


sub escape_id {
    my ($text) = @_;
    my $bytes = utf8::is_utf8($text) ? Encode::encode_utf8($text) : $text;
    $bytes =~ s/([^A-Za-z0-9_])/sprintf('%%%02X', ord $1)/ge;
    return $bytes;
}


sub partition {
    my ($self, $id) = @_;
    my $n = $self->{partitions} //=
        $self->cmd('HGET', "$self->{prefix}:meta", 'partitions') || 1;
    return crc16($id) % $n;
}


# device_key($id) is the device's hash; device_key($id, 'tasks') its inbox.
sub device_key {
    my ($self, $id, $what) = @_;
    my $key = "$self->{prefix}:{" . $self->partition($id) . "}:$id";
    return defined $what ? "$key:$what" : $key;
}


sub device {
    my ($self, $id) = @_;
    return $self->hash('HGETALL', $self->device_key($id));
}


# --- tasks, results, parameters --------------------------------------------

# A task may be a hash, or the JSON text itself (also a broken one).
sub task_json {
    my ($task) = @_;
    return ref $task ? $JSON->encode($task) : $task;
}


sub push_task {
    my ($self, $id, @tasks) = @_;
    return $self->cmd('RPUSH', $self->device_key($id, 'tasks'),
                      map { task_json($_) } @tasks);
}


# Returns the task's id, or dies with Redis' error.
sub fcall_push {
    my ($self, $id, $task) = @_;
    return $self->cmd('FCALL', 'cwmp_push', 1,
                      $self->device_key($id, 'tasks'), task_json($task));
}


# Oldest first; a field that is JSON is decoded, {raw} has them all as stored.
sub results {
    my ($self, $id) = @_;
    return $self->stream($self->device_key($id, 'results'));
}


sub events {
    my ($self, $partition) = @_;
    return $self->stream("$self->{prefix}:{" . ($partition // 0) . '}:events');
}


sub stream {
    my ($self, $key) = @_;
    return map { stream_entry(@$_) } $self->list('XRANGE', $key, '-', '+');
}


sub stream_entry {
    my ($stream_id, $fields) = @_;
    my %raw = @$fields;
    my %entry = map { ($_ => decode_field($raw{$_})) } keys %raw;

    # the whole entry as one JSON object in one field
    my ($only) = values %entry;
    %entry = %$only if keys %entry == 1 && ref $only eq 'HASH'
                       && exists $only->{status};

    return { %entry, stream_id => $stream_id, raw => \%raw };
}


sub decode_field {
    my ($text) = @_;
    return $text unless defined $text && $text =~ /^\s*[\[{"]/;
    my $value = eval { $JSON->decode($text) };
    return $@ ? $text : $value;
}


sub result {
    my ($self, $id, $task) = @_;
    my ($found) = grep { ($_->{id} // '') eq $task } $self->results($id);
    return $found;
}


sub wait_result {
    my ($self, $id, $task, $seconds) = @_;
    my $until = time() + ($seconds // 5);

    while (1) {
        my $found = $self->result($id, $task);
        return $found if $found || time() > $until;
        sleep(0.02);
    }
}


# path => { type, value }, of what lies below the prefix (or of everything).
sub params {
    my ($self, $id, $prefix) = @_;
    my @flat = $self->list('FCALL_RO', 'cwmp_params', 1,
                           $self->device_key($id, 'params'), $prefix // ());
    my %found;

    while (my ($path, $type, $value) = splice(@flat, 0, 3)) {
        $found{$path} = { type => $type, value => characters($value) };
    }
    return \%found;
}


sub characters {
    my ($bytes) = @_;
    my $copy = $bytes;
    my $text = eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK) };
    return $text // $bytes;
}


package CWMP::Redis::Error;

use overload '""' => sub { $_[0]{message} }, fallback => 1;

sub new { return bless { message => $_[1] }, $_[0] }
sub code { return (split(/ /, $_[0]{message}))[0] }

1;
