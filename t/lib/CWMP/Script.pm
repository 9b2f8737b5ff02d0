package CWMP::Script;

# A device that a test plays POST by POST: an identity, a scripted CPE of its
# own, and its part of Redis.  A test reads as the conversation that it is.
#
#   my $d = CWMP::Script->new($t, 'A1');
#   $d->give({ method => 'Reboot', id => 'r1' });
#   my $r = $d->begin;                       # Inform, empty POST: what came
#   is $r->method, 'Reboot';
#   $r = $d->respond($r);                   # RebootResponse to it
#   is $d->status('r1'), 'done';
#
# Options: url, raw => a CWMP::Raw to share with others; all others go to each
# Inform (class, params, timeout...); key => the ParameterKey in the Inform.

use strict;
use warnings;

use CWMP::Envelope qw(response gpv_response spv_response add_response
                      delete_response download_response fault);
use CWMP::Model;
use CWMP::Redis;

my %ANSWER = (
    GetParameterValues => sub { gpv_response($_[0], ['Device.A', 'string', 'a']) },
    SetParameterValues => sub { spv_response($_[0], 0) },
    AddObject => sub { add_response($_[0], 17, 0) },
    DeleteObject => sub { delete_response($_[0], 0) },
    Download => sub { download_response($_[0], 1) },
);


sub new {
    my ($class, $t, $serial, %o) = @_;
    my $raw = delete $o{raw} || $t->raw(0, $o{url} ? (url => $o{url}) : ());
    delete $o{url};
    return bless { t => $t, raw => $raw, key => '', oui => '00D09E',
                   class => 'Box', %o, serial => $serial }, $class;
}


sub id { return CWMP::Redis::device_id(@{ $_[0] }{qw(oui class serial)}) }
sub raw { return $_[0]{raw} }
sub redis { return $_[0]{t}->redis }
sub cookie { return $_[0]{raw}->cookie }
sub post { my $self = shift; return $self->{raw}->post(@_) }
sub empty { my $self = shift; return $self->{raw}->post('', @_) }


# --- the CPE's side --------------------------------------------------------

# What the Inform of this device looks like; more of its options may follow.
sub inform_text {
    my ($self, %more) = @_;
    my %o = (%$self, %more);
    my $params = $o{params} || CWMP::Envelope::default_params();

    $_->[0] =~ /\.ParameterKey$/ and $_->[2] = $o{key} for @$params;
    delete @o{qw(t raw key)};
    return CWMP::Envelope::inform(id => 'i-' . ++$self->{informs}, %o, params => $params);
}


# Events are codes, or [code, key].
sub inform {
    my ($self, @events) = @_;
    my $text = $self->inform_text(@events ? (events => \@events) : ());
    my $r = $self->post($text);

    die 'Inform got HTTP ' . $r->status . "\n" if $r->status != 200;
    return $r;
}


# A session is opened, and the ACS has the turn: what it says.
sub begin {
    my ($self, @events) = @_;
    $self->inform(@events);
    return $self->empty;
}


# The usual response to what the ACS sent; or one with this inside.
sub answer_to {
    my ($r, $inner) = @_;
    my $method = $r->method // die 'nothing to respond to: HTTP ' . $r->status
                                   . "\n";
    my $usual = $ANSWER{$method};

    return $usual->($r->id) if $usual && !defined $inner;
    return response($r->id, $method, $inner // '');
}


sub respond {
    my ($self, $r, $inner, %how) = @_;
    return $self->post(answer_to($r, $inner), %how);
}


sub refuse {
    my ($self, $r, $code, @more) = @_;
    return $self->post(fault($r->id, $code,
                             CWMP::Model::fault_string($code), @more));
}


# Responds to all that comes until the ACS says 204; returns the methods.
sub obey {
    my ($self, $r) = @_;
    my @methods;

    while ($r->status == 200 && @methods < 1000) {
        push @methods, $r->method;
        $r = $self->respond($r);
    }
    return (@methods, $r->status == 204 ? () : 'HTTP ' . $r->status);
}


# A whole session; returns the methods that came.
sub session {
    my ($self, @events) = @_;
    return $self->obey($self->begin(@events));
}


# --- the admin's side ------------------------------------------------------

sub give {
    my ($self, @tasks) = @_;
    return $self->redis->push_task($self->id, @tasks);
}


# Reads of one parameter each, of these ids.
sub give_reads {
    my ($self, @ids) = @_;
    return $self->give(map { { method => 'GetParameterValues', id => $_,
                               ParameterNames => ["Device.$_"] } } @ids);
}


sub results { return $_[0]->redis->results($_[0]->id) }
sub result { return $_[0]->redis->result($_[0]->id, $_[1]) }


sub status {
    my ($self, $task) = @_;
    my $result = $self->result($task) or return 'none';
    return $result->{status};
}


# "id status" of each result, oldest first.
sub ended {
    my ($self) = @_;
    return [map { "$_->{id} $_->{status}" } $self->results];
}


sub reason {
    my ($self, $task) = @_;
    my $result = $self->result($task) or return 'no result';
    my $fault = $result->{fault};
    return ref $fault ? $fault->{reason} // '' : $fault;
}


sub key { return $_[0]->redis->device_key($_[0]->id, $_[1]) }
sub has { return $_[0]->redis->cmd('EXISTS', $_[0]->key($_[1])) }
sub value { return ($_[0]->redis->params($_[0]->id)->{$_[1]} || {})->{value} }


# Milliseconds that the session would live without a further POST.
sub lease { return $_[0]->redis->cmd('PTTL', $_[0]->key('session')) }


# What Redis still has of this device's tasks, and of their deadlines.
sub leftovers {
    my ($self) = @_;
    my $id = $self->id;
    return join(' ', (grep { $self->has($_) }
                      qw(tasks queue live running waiting)),
                grep { / \Q$id\E / }
                $self->redis->list('ZRANGE', 'cwmp:{0}:due', 0, -1));
}

1;
