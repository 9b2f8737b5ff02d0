package CWMP::Keyring;

# A CPE that logs in, and that really changes its credentials when it is told
# to: its next POST has the new ones.  It posts to all nodes in turn, over one
# connection to each, and proves itself in each POST, asked or not.
#
#   my $cpe = CWMP::Keyring->new($t, 'S1', password => 'pw');
#   $cpe->session;                  # obeys until 204; dies when it is locked out
#   $cpe->{on_rpc} = sub { my ($cpe, $r) = @_; ... return 'over' };
#   $cpe->begin_anew;               # another session, on other connections
#
# Options: user, password, algorithm, uri (/cwmp), basic => 1, class; on_rpc: is
# called instead of the usual answer to what came, and says 'over' when it has
# given up the session.

use strict;
use warnings;

use Time::HiRes qw(sleep);

use CWMP::Auth;
use CWMP::Envelope qw(inform response spv_response fault);
use CWMP::Raw;
use CWMP::Test qw(patience);


sub new {
    my ($class, $t, $serial, %opt) = @_;
    my $self = bless { t => $t, serial => $serial, class => 'Box', posts => 0,
                       uri => '/cwmp', user => "00D09E-Box-$serial",
                       password => 'pw', %opt }, $class;
    return $self->begin_anew;
}


sub id { return "00D09E-$_[0]{class}-$_[0]{serial}" }


sub begin_anew {
    my ($self) = @_;
    my $jar = {};
    $self->{raw} = [map { CWMP::Raw->new(url => $_, jar => $jar,
                                         timeout => patience(10)) }
                    map { s{/cwmp$}{$self->{uri}}r } $self->{t}->urls];
    return $self->auth;
}


# of what it holds now
sub auth {
    my ($self) = @_;
    $self->{auth} = CWMP::Auth->new(map { ($_ => $self->{$_}) }
        grep { defined $self->{$_} } qw(user password uri algorithm));
    return $self;
}


sub headers {
    my ($self, $asked) = @_;
    return [$self->{auth}->basic] if $self->{basic} && $asked;
    $self->{auth}->challenge($asked) if $asked && !$self->{basic};
    return $self->{auth}{nonce} ? [$self->{auth}->header] : [];
}


# To the next node.  A challenge is answered; a nonce that was used, or is taken
# for used since a device has eight in a second, once more.
sub post {
    my ($self, $body, %how) = @_;
    my $raw = $self->{raw}[$self->{posts}++ % @{ $self->{raw} }];
    my $r = $raw->post($body, headers => $self->headers, %how);
    for my $time (1 .. 9) {
        return $r if $r->status != 401;
        die "locked out\n" if $time > 1 && $r->header('WWW-Authenticate')
                                           !~ /stale=true/;
        sleep 0.2 if $time > 2;
        $r = $raw->post($body, headers => $self->headers($r), %how);
    }
    return $r;
}


sub inform_text {
    my ($self, @events) = @_;
    return inform(serial => $self->{serial}, class => $self->{class},
                  id => 'i' . ++$self->{informs},
                  @events ? (events => \@events) : ());
}


# takes what it is told, at once: its next POST proves that, by the same nonce
sub take {
    my ($self, $r) = @_;
    my $values = $r->values;
    for my $given ($r->params) {
        my ($name, $type) = @$given;
        die "$name is a $type\n" if $name =~ /(?:Username|Password)$/
                                    && $type ne 'xsd:string';
    }
    for my $name (keys %$values) {
        $name =~ /\.ManagementServer\.(\w+)$/ or next;
        $self->{set}{$1} = $values->{$name};
        $self->{user} = $values->{$name} if $1 eq 'Username';
        $self->{password} = $values->{$name} if $1 eq 'Password';
    }
    my $old = $self->{auth};
    my $new = $self->auth->{auth};
    $new->{$_} = $old->{$_} for qw(realm nonce count);
    return $self;
}


sub answer {
    my ($self, $r) = @_;
    return $self->{on_rpc}->($self, $r) if $self->{on_rpc};
    return $self->comply($r);
}


sub comply {
    my ($self, $r) = @_;
    return $self->post(response($r->id, $r->method)) if $r->method
                                                   ne 'SetParameterValues';
    push @{ $self->{given} }, { map { @$_[0, 2] } $r->params };
    $self->take($r);
    return $self->post(spv_response($r->id, 0));
}


sub refuse {
    my ($self, $r, $code) = @_;
    push @{ $self->{given} }, { map { @$_[0, 2] } $r->params };
    return $self->post(fault($r->id, $code // 9001, 'Request denied'));
}


# what the session ended with: a status, or 'over'
sub session {
    my ($self, @events) = @_;
    my $r = $self->post($self->inform_text(@events));
    return $r->status if $r->status != 200;
    $r = $self->post('');
    while (ref $r && $r->status == 200) {
        $r = $self->answer($r);
    }
    return ref $r ? $r->status : $r;
}


# is this password good for its user?  On a connection of its own.
sub good {
    my ($self, $user, $password) = @_;
    my $other = (ref $self)->new($self->{t}, $self->{serial}, %$self,
                                 user => $user, password => $password);
    return eval { $other->post('')->status != 401 };
}

1;
