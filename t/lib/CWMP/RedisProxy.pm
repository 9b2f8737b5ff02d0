package CWMP::RedisProxy;

# A process between nginx and Redis that loses on purpose what a test wants to
# be lost: a command before Redis has it, or a reply after Redis gave it, with
# the connection.  It reads both directions as RESP, so it knows which reply
# belongs to which command.
#
#   my $proxy = CWMP::RedisProxy->new(dir => $t->dir,
#                                     redis => $t->redis_server->socket);
#   ... cwmp_redis => $proxy->address ...
#   $proxy->rule(qr/cwmp_step_2 .* response/, 'lose-reply');
#   is $proxy->hits, 1; my @calls = $proxy->commands; my @n = $proxy->reads;
#
# It listens at a unix socket, or at the TCP port => N; with latency => S all
# commands come S seconds later.
#
# rule(pattern, action, times): the next command (its words joined by blanks)
# that matches the pattern, or the next several; rules([pattern, ...], ...) are
# several rules, of which the first one that matches is applied:
#   lose-call    the connection is closed, Redis never sees the command
#   lose-reply   Redis carries it out, its reply goes nowhere
#   hold-reply   Redis carries it out; its reply and all after it go nowhere,
#                the connection stays
#   cut-reply    nginx gets the first half of the reply
#   say TEXT     Redis never sees it, nginx gets this line as the reply
#   swallow      it and all that follows go nowhere, and nobody is told: the
#                connection stays, as when a host vanishes
#   delay S      Redis has it S seconds later, and what follows in its order
#
# commands() are the words of all that came from nginx, each as one string;
# reads() tells how many commands each read brought.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use parent 'CWMP::Forked';
use Time::HiRes qw(time);

my $JSON = JSON::PP->new->latin1;


sub new {
    my ($class, %opt) = @_;
    my $path = "$opt{dir}/proxy.sock";
    my $listen = $opt{port}
        ? IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
                                LocalPort => $opt{port}, ReuseAddr => 1)
        : IO::Socket::UNIX->new(Local => $path, Listen => 64);
    die(($opt{port} || $path), ": $!\n") if !$listen;
    my $self = bless { latency => 0, %opt, path => $path, rule => 0,
                       log => "$opt{dir}/proxy.log",
                       rules => "$opt{dir}/proxy.rules" }, $class;

    open(my $log, '>>', $self->{log}) or die "$self->{log}: $!\n";
    $log->autoflush(1);
    $self->{out} = $log;
    return $self->begin(sub { $self->serve($listen) });
}


sub address {
    my ($self) = @_;
    return $self->{port} ? "127.0.0.1:$self->{port}" : "unix:$self->{path}";
}


sub rule { my ($self, @rule) = @_; return $self->rules(\@rule) }


sub rules {
    my ($self, @rules) = @_;
    my $file = "$self->{rules}.new";

    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $JSON->encode([map {
        { number => ++$self->{rule}, pattern => "$_->[0]", action => $_->[1],
          times => $_->[2] // 1 } } @rules]);
    close($fh) or die "$file: $!\n";
    rename($file, $self->{rules}) or die "$file: $!\n";
}


sub told {
    my ($self, $kind) = @_;
    open(my $fh, '<', $self->{log}) or die "$self->{log}: $!\n";
    return map { $JSON->decode($_)->[1] } grep { /^\["$kind"/ } readline($fh);
}


# How often the present rule, or the last one of these, was applied.
sub hits {
    my ($self) = @_;
    return scalar grep { $_ == $self->{rule} } $self->told('hit');
}


sub held { return scalar $_[0]->told('held') }
sub commands { return $_[0]->told('command') }
sub reads { return $_[0]->told('read') }
sub connections { return scalar $_[0]->told('connection') }


# --- in the child ----------------------------------------------------------

sub tell {
    my ($self, $kind, $what) = @_;
    print { $self->{out} } $JSON->encode([$kind, $what]), "\n";
}


sub serve {
    my ($self, $listen) = @_;
    my $parent = getppid();
    my $select = $self->{select} = IO::Select->new($listen);

    while (getppid() == $parent) {
        for my $ready ($select->can_read($self->pass_due)) {
            if ($ready == $listen) {
                $self->accept_pair($listen);
                next;
            }
            my $pair = $self->{of}{ fileno($ready) // -1 } or next;
            $ready == $pair->{nginx} ? $self->from_nginx($pair)
                                     : $self->from_redis($pair);
        }
    }
}


sub accept_pair {
    my ($self, $listen) = @_;
    my $nginx = $listen->accept or return;
    my $redis = IO::Socket::UNIX->new(Peer => $self->{redis});

    $self->tell(connection => 1);
    return close($nginx) unless $redis;
    my $pair = { nginx => $nginx, redis => $redis, in => '', out => '',
                 pending => [], late => [] };
    for my $end ($nginx, $redis) {
        $self->{of}{ fileno($end) } = $pair;
        $self->{select}->add($end);
    }
}


sub drop {
    my ($self, $pair) = @_;
    for my $end (@$pair{qw(nginx redis)}) {
        $self->{select}->remove($end);
        delete $self->{of}{ fileno($end) };
        close($end);
    }
    $pair->{dropped} = 1;
}


# A whole RESP value at the head of the text: its length, or undef.
sub value_length {
    my ($text, $at) = @_;
    $at //= 0;
    my $end = index($text, "\r\n", $at);
    return undef if $end < 0;

    my ($kind, $rest) = (substr($text, $at, 1),
                         substr($text, $at + 1, $end - $at - 1));
    my $next = $end + 2;
    return $next if $kind !~ /[\$*]/ || $rest < 0;
    if ($kind eq '$') {
        return $next + $rest + 2 <= length $text ? $next + $rest + 2 : undef;
    }
    for (1 .. $rest) {
        $next = value_length($text, $next) // return undef;
    }
    return $next;
}


sub words {
    my ($command) = @_;
    my @words;
    $command =~ s/^\*\d+\r\n//;
    while ($command =~ s/^\$(\d+)\r\n//) {
        push @words, substr($command, 0, $1, '');
        substr($command, 0, 2, '');
    }
    return join(' ', @words);
}


# What is to be done with this command.
sub action_for {
    my ($self, $words) = @_;
    open(my $fh, '<', $self->{rules}) or return '';

    for my $rule (@{ $JSON->decode(scalar readline($fh)) }) {
        next if ($self->{used}{ $rule->{number} } // 0) >= $rule->{times}
                || $words !~ /$rule->{pattern}/s;
        $self->{used}{ $rule->{number} }++;
        $self->tell(hit => $rule->{number});
        return $rule->{action};
    }
    return '';
}


sub from_nginx {
    my ($self, $pair) = @_;
    sysread($pair->{nginx}, $pair->{in}, 1 << 20, length $pair->{in})
        or return $self->drop($pair);
    my $n = 0;

    while (defined(my $length = value_length($pair->{in}))) {
        my $command = substr($pair->{in}, 0, $length, '');
        my $words = words($command);
        my $action = $self->action_for($words);

        $n++;
        $self->tell(command => $words);
        return $self->drop($pair) if $action eq 'lose-call';
        $pair->{swallows} ||= $action eq 'swallow';
        next if $pair->{swallows};
        push @{ $pair->{pending} }, $action;
        $command = "*1\r\n\$4\r\nPING\r\n" if $action =~ /^say /;
        my $due = time() + ($action =~ /^delay (.*)/ ? $1
                                                     : $self->{latency});
        my $last = @{ $pair->{late} } ? $pair->{late}[-1][0] : 0;
        push @{ $pair->{late} }, [$due > $last ? $due : $last, $command];
        $self->pass_due;
    }
    $self->tell(read => $n);
}


# Passes on what was delayed until now; how long until there is more.
sub pass_due {
    my ($self) = @_;
    my $wait = 0.5;
    for my $pair (values %{ $self->{of} }) {
        my $late = $pair->{late};
        while (@$late && $late->[0][0] <= time()) {
            $self->pass($pair->{redis}, shift(@$late)->[1]);
        }
        next if !@$late;
        my $left = $late->[0][0] - time();
        $wait = $left < 0 ? 0 : $left if $left < $wait;
    }
    return $wait;
}


sub from_redis {
    my ($self, $pair) = @_;
    sysread($pair->{redis}, $pair->{out}, 1 << 20, length $pair->{out})
        or return $self->drop($pair);
    return if $pair->{swallows};

    while (defined(my $length = value_length($pair->{out}))) {
        my $reply = substr($pair->{out}, 0, $length, '');
        my $action = shift @{ $pair->{pending} } // '';

        if ($action eq 'hold-reply') {
            $pair->{swallows} = 1;
            return $self->tell(held => 1);
        }
        $reply = "$1\r\n" if $action =~ /^say (.*)/s;
        substr($reply, length($reply) / 2) = '' if $action eq 'cut-reply';
        $self->pass($pair->{nginx}, $reply) if $action ne 'lose-reply';
        return $self->drop($pair) if $action =~ /^(?:lose|cut)-reply/;
    }
}


sub pass {
    my ($self, $to, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite($to, $bytes) // return;
        substr($bytes, 0, $n, '');
    }
}

1;
