package CWMP::CPE;

# A CPE that behaves.  It holds a data model, opens sessions, does what the
# ACS asks for as a device would, and remembers all of it, so that a test can
# say what must have happened, how often, and that nothing happened twice.
#
#   my $cpe = CWMP::CPE->new(urls => [$t->url(0), $t->url(1)]);
#   my $trace = $cpe->run_session('2 PERIODIC');
#   ok $trace->{ok}; is $cpe->count('Reboot'), 1; is $cpe->value($path), 'x';
#   is_deeply $cpe->complaints, [];
#
# Options: urls (taken in turn, one a POST), oui, class, serial, ns, model
# (CWMP::Model), device => FILE (a real device's dump: its model and identity;
# its clocks stand still), versions, timeout, new_connection => 1, log => sub ($line),
# before_post => sub ($cpe, $post), after_post => sub ($cpe, $post, $answer),
# on_rpc => { Method => sub ($cpe, $node) }, faults => { Method => 9001 },
# download => { status => 0|1, when => 'next'|'same', refuse => code,
# fault => code, upgrade => 0|1 }, raw => {} (options of CWMP::Raw).
#
# before_post may change $post->{body}, do harm elsewhere (kill a worker), or
# return 'drop': the CPE then vanishes without a further word, connection and
# all.  What each RPC does is in CWMP::CPE::RPC; a hook in on_rpc takes an
# RPC's place and returns the inner XML, dies with CWMP::Model::throw(code), or
# returns undef to let the RPC do its usual work.
#
# complaints() lists what a strict CPE would object to in the ACS' messages.

use strict;
use warnings;

use Time::HiRes qw(time);

use CWMP::CPE::RPC;
use CWMP::CPE::Strict;
use CWMP::Envelope qw(inform transfer_complete iso_time);
use CWMP::Model;
use CWMP::Raw;
use CWMP::Redis;


sub new {
    my ($class, %opt) = @_;
    my $dump = $opt{device} && CWMP::Model->load_csv($opt{device});
    my $model = delete $opt{model} || $dump || CWMP::Model->tr181;
    my $self = bless {
        oui => '00D09E', class => 'HG1', serial => '0001',
        manufacturer => 'Acme', $dump ? identity_of($dump) : (), ns => 'urn:dslforum-org:cwmp-1-2',
        model => $model, events => [], scheduled => [], transfers => [], done => [],
        complaints => [], sessions => 0, retry => 0, posts => 0, sent => 0,
        booted => time(), max_posts => 2000, %opt,
    }, $class;

    $self->{urls} ||= [delete $self->{url} // die "CWMP::CPE needs a URL\n"];
    $self->{raw} = CWMP::Raw->new(url => $self->{urls}[0],
        timeout => $self->{timeout} // 10,
        new_connection => $self->{new_connection}, %{ $opt{raw} || {} });
    $self->identify_model unless $dump;
    $self->{factory} = $model->clone;
    return $self;
}


# Who we are, as a device's dump has it.
sub identity_of {
    my ($dump) = @_;
    my $id = $dump->identity;
    return (manufacturer => $id->{Manufacturer}, oui => $id->{OUI},
            class => $id->{ProductClass}, serial => $id->{SerialNumber});
}


# The model says who we are, as the Inform does.
sub identify_model {
    my ($self) = @_;
    my %value = (Manufacturer => 'manufacturer', ManufacturerOUI => 'oui',
                 ProductClass => 'class', SerialNumber => 'serial');

    for my $leaf (keys %value) {
        my $path = $self->path("DeviceInfo.$leaf");
        $self->{model}->put($path, $self->{ $value{$leaf} })
            if $self->{model}->has($path);
    }
}


sub path { return $_[0]{model}->root . $_[1] }
sub model { return $_[0]{model} }
sub raw { return $_[0]{raw} }
sub value { return $_[0]{model}->get($_[1]) }
sub complaints { return $_[0]{complaints} }
sub id { return CWMP::Redis::device_id(@{ $_[0] }{qw(oui class serial)}) }


# Every RPC carried out, oldest first: {method, key, args, session, fault}.
sub done {
    my ($self, $method) = @_;
    return grep { !defined $method || $_->{method} eq $method }
           @{ $self->{done} };
}


# How often it was carried out (a refused one does not count).
sub count {
    my ($self, $method, $key) = @_;
    return scalar grep { !$_->{fault} && (!defined $key
                         || ($_->{key} // '') eq $key) } $self->done($method);
}


# A value changes on the device itself; sent with the next Inform when the
# ACS asked to be notified.
sub change {
    my ($self, $path, $value) = @_;
    $self->{model}->put($path, $value);
    $self->value_changed($path) if $self->{model}{param}{$path}{notification};
}


sub value_changed {
    my ($self, $path) = @_;
    $self->{changed}{$path} = 1;
    $self->add_event('4 VALUE CHANGE');
}


sub add_event {
    my ($self, $code, $key) = @_;
    $key //= '';
    return if grep { $_->[0] eq $code && $_->[1] eq $key } @{ $self->{events} };
    push @{ $self->{events} }, [$code, $key];
}


# Of the Informs that the ACS has scheduled those whose time has come.
sub add_scheduled {
    my ($self) = @_;
    my ($now, @later) = (time());

    for my $one (@{ $self->{scheduled} }) {
        my ($time, $key) = @$one;
        push(@later, $one), next if $time > $now;
        $self->add_event('3 SCHEDULED');
        $self->add_event('M ScheduleInform', $key);
    }
    $self->{scheduled} = \@later;
}


sub say {
    my ($self, $line) = @_;
    $self->{log}->($line) if $self->{log};
}


# --- a session -------------------------------------------------------------

# Events are codes, or [code, key]; what is undelivered goes along.  Returns
# the trace: {ok, error, dropped, steps => [{sent, got, status}...]}.
sub run_session {
    my ($self, @events) = @_;

    $self->add_event(ref $_ ? @$_ : $_) for @events;
    $self->add_scheduled;
    $self->add_event('2 PERIODIC') unless @{ $self->{events} };

    my $trace = $self->{trace} = { steps => [], ok => 0 };
    $self->{sessions}++;
    $self->{raw}->forget_cookies;
    $self->{after_session} = [];

    my $ended = eval { $self->converse; 1 };
    $self->session_failed($trace, $@) unless $ended;

    $trace->{ok} = $ended ? 1 : 0;
    $self->{raw}->disconnect unless $self->{keep_connection};
    $self->{retry} = 0 if $ended;

    # a device that was told to reboot does so however the session ended
    $_->() for @{ delete $self->{after_session} };
    return $trace;
}


sub session_failed {
    my ($self, $trace, $why) = @_;
    chomp($why);
    $self->{retry}++;
    $trace->{dropped} = 1 if $why eq 'dropped';
    $trace->{error} = $why;
    $self->say("session failed: $why") unless $trace->{dropped};
}


sub converse {
    my ($self) = @_;

    $self->send_inform;
    $self->send_requests;

    my $answer = $self->post_empty;
    while (1) {
        $answer = $self->serve($answer) while $answer->status != 204;
        last unless $self->more_requests;
        $self->send_requests;
        $answer = $self->post_empty;
    }
}


# The ACS has the turn: do what it asks, send the response, get the next.
sub serve {
    my ($self, $answer) = @_;
    my ($method, $body) = CWMP::CPE::RPC::answer($self, $answer);
    return $self->post($method, $body);
}


sub send_inform {
    my ($self) = @_;
    my @events = @{ $self->{events} };
    my $body = inform(%$self{qw(oui class serial manufacturer ns versions)},
        retry => $self->{retry}, id => $self->next_id, events => \@events,
        timeout => $self->{session_timeout}, params => $self->inform_params);

    my $name = join(', ', map { length $_->[1] ? "$_->[0] ($_->[1])"
                                               : $_->[0] } @events);
    my $answer = $self->request("Inform $name", 'Inform', $body);
    $self->{version} = $answer->header_node('UseCWMPVersion')
                       && $answer->header_node('UseCWMPVersion')->{text};

    # those of transfers stay until TransferCompleteResponse
    my %told = map { ("$_->[0]\0$_->[1]" => 1) } @events;
    @{ $self->{events} } = grep {
        $_->[0] =~ /^(?:7 |M (?:ScheduleDownload|Download|Upload))/ || !$told{"$_->[0]\0$_->[1]"}
    } @{ $self->{events} };
    $self->{changed} = {};
}


sub inform_params {
    my ($self) = @_;
    my $model = $self->{model};
    $self->refresh_clock;

    my @forced = map { $self->path($_) } qw(DeviceInfo.HardwareVersion
        DeviceInfo.SoftwareVersion DeviceInfo.ProvisioningCode
        ManagementServer.ParameterKey ManagementServer.ConnectionRequestURL);
    unshift @forced, $model->root eq 'Device.' ? 'Device.RootDataModelVersion'
        : ('InternetGatewayDevice.DeviceSummary',
           'InternetGatewayDevice.DeviceInfo.SpecVersion');

    my %seen;
    return [map { $model->shown($_) } grep { $model->has($_) && !$seen{$_}++ }
            @forced, sort keys %{ $self->{changed} || {} }];
}


sub refresh_clock {
    my ($self) = @_;
    return if $self->{device};
    my %now = ('DeviceInfo.UpTime' => int(time() - $self->{booted}),
               'Time.CurrentLocalTime' => iso_time());
    for my $leaf (keys %now) {
        my $path = $self->path($leaf);
        $self->{model}->put($path, $now{$leaf}) if $self->{model}->has($path);
    }
}


sub next_id { return 'cpe-' . ++$_[0]{sent} }


# --- the CPE's own requests ------------------------------------------------

sub more_requests {
    my ($self) = @_;
    return grep { $_->{ready} } @{ $self->{transfers} };
}


sub send_requests {
    my ($self) = @_;

    for my $transfer ($self->more_requests) {
        my $body = transfer_complete(%$transfer, ns => $self->{ns},
                                     id => $self->next_id);
        $self->request("TransferComplete $transfer->{key}",
                       'TransferComplete', $body);
        $self->transfer_delivered($transfer);
    }
}


sub transfer_delivered {
    my ($self, $transfer) = @_;
    my $event = "M $transfer->{method}";

    @{ $self->{transfers} } = grep { $_ != $transfer } @{ $self->{transfers} };
    @{ $self->{events} } = grep {
        !($_->[0] eq $event && $_->[1] eq $transfer->{key})
        && !($_->[0] eq '7 TRANSFER COMPLETE' && !@{ $self->{transfers} })
    } @{ $self->{events} };
}


# Posts a request of ours until it has its response; 8005 means once more.
sub request {
    my ($self, $what, $method, $body) = @_;

    for (1 .. 4) {
        my $answer = $self->post($what, $body);
        my $got = $answer->method // '';
        die "$method was answered with " . $answer->status . " without a body\n"
            unless length $got;

        my $code = $answer->fault_code;
        next if defined $code && $code == 8005;
        die "$method was refused: " . ($code // 'SOAP fault') . "\n"
            if $got eq 'Fault';
        die "$method was answered with $got\n" if $got ne "${method}Response";

        CWMP::CPE::Strict::check_answer($self, $body, $answer);
        return $answer;
    }
    die "$method: the ACS says 8005 again and again\n";
}


# A request of the CPE's own that this class does not make by itself, to be
# used from a hook or a scripted session.
sub send_request {
    my ($self, $method, $inner) = @_;
    return $self->request($method, $method,
        CWMP::Envelope::request($self->next_id, $method, $inner,
                                ns => $self->{ns}));
}


# --- one POST --------------------------------------------------------------

sub post_empty { return $_[0]->post('empty', '') }


sub post {
    my ($self, $what, $body) = @_;
    my $url = $self->{urls}[ $self->{posts} % @{ $self->{urls} } ];
    my $post = { what => $what, body => $body, url => $url, how => {},
                 n => scalar @{ $self->{trace}{steps} } };

    die "the session does not end\n" if $post->{n} >= $self->{max_posts};
    if ($self->{before_post}
        && ($self->{before_post}->($self, $post) // '') eq 'drop')
    {
        $self->{raw}->disconnect;
        die "dropped\n";
    }

    $self->{posts}++;
    my $step = { sent => $what };
    push @{ $self->{trace}{steps} }, $step;

    my $answer = $self->{raw}->post($post->{body}, url => $post->{url},
                                    %{ $post->{how} });
    $self->note_answer($step, $answer);
    $self->{after_post}->($self, $post, $answer) if $self->{after_post};
    return $answer;
}


sub note_answer {
    my ($self, $step, $answer) = @_;

    $step->{status} = $answer->status;
    die "$step->{sent} got HTTP " . $answer->status . "\n"
        if $answer->status != 200 && $answer->status != 204;

    $step->{got} = $answer->method // $answer->status;
    CWMP::CPE::Strict::check_http($self, $answer);
    $self->say_step($step, $answer);
}


sub say_step {
    my ($self, $step, $answer) = @_;
    return unless $self->{log};

    my $got = $answer->status == 204 ? '204 end'
              : CWMP::CPE::RPC::describe($answer);
    if ($step->{sent} =~ /^(?:Inform|TransferComplete) /) {
        $self->say("$step->{sent} -> $got");
        return;
    }
    $self->say("-> $step->{sent}") if $step->{sent} ne 'empty';
    $self->say("<- $got");
}

1;
