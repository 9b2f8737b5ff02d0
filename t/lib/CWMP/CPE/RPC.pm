package CWMP::CPE::RPC;

# What a CPE does for each RPC of the ACS.  To add one, write a function of
# its name below "the RPCs": it takes the CPE and the method's XML node, and
# returns the inside of its response, or dies by CWMP::Model::throw(code).

use strict;
use warnings;

use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Model;

my %RPC = map { my $name = $_; ($name => __PACKAGE__->can("rpc_$name")) } qw(
    GetRPCMethods GetParameterValues SetParameterValues GetParameterNames
    GetParameterAttributes SetParameterAttributes AddObject DeleteObject
    Reboot FactoryReset ScheduleInform Download Upload ScheduleDownload
    CancelTransfer GetQueuedTransfers GetAllQueuedTransfers SetVouchers
    GetOptions ChangeDUState
);


# Carries out what is in $answer; returns what to call it, and the body.
sub answer {
    my ($cpe, $answer) = @_;
    my $node = $answer->node or die "an envelope with nothing in its Body\n";
    my $method = $node->{local};
    my %o = (ns => $cpe->{ns});

    CWMP::CPE::Strict::check_request($cpe, $answer);
    my $record = { method => $method, session => $cpe->{sessions},
                   id => $answer->id, args => arguments($node),
                   key => key_of($node) };

    my $inner = eval { carry_out($cpe, $method, $node) };
    my $fault = $@;
    if (!$fault) {
        push @{ $cpe->{done} }, $record;
        return (answer_name($method, $inner),
                response($answer->id, $method, $inner, %o));
    }

    die $fault unless ref $fault eq 'CWMP::Model::Fault';
    $record->{fault} = $fault->{code};
    push @{ $cpe->{done} }, $record;
    return ("Fault $fault->{code} $fault->{string}",
            fault($answer->id, $fault->{code}, $fault->{string},
                  @{ $fault->{spv} }, %o));
}


sub carry_out {
    my ($cpe, $method, $node) = @_;

    my $code = $cpe->{faults}{$method};
    CWMP::Model::throw($code) if $code;

    my $hook = $cpe->{on_rpc}{$method};
    my $inner = $hook && $hook->($cpe, $node);
    return $inner if defined $inner;

    my $do = $RPC{$method} or CWMP::Model::throw(9000);
    return $do->($cpe, $node);
}


sub key_of {
    my ($node) = @_;
    return $node->value('CommandKey') // $node->value('ParameterKey');
}


# Plain arguments by name, lists as lists of strings or [name, type, value].
sub arguments {
    my ($node) = @_;
    my %args;

    for my $arg ($node->kids) {
        my @items = $arg->kids;
        $args{ $arg->{local} } = !@items ? $arg->{text} : [map {
            my $value = $_->child('Value');
            $value ? [$_->value('Name'), $value->attribute('type'),
                      $value->{text}]
                   : $_->kids ? { map { ($_->{local} => $_->{text}) } $_->kids }
                              : $_->{text}
        } @items];
    }
    return \%args;
}


# --- for people ------------------------------------------------------------

# "GetParameterValues Device.DeviceInfo."
sub describe {
    my ($answer) = @_;
    my $node = $answer->node or return 'an empty Body';

    if (my $fault = $answer->fault) {
        return join(' ', 'Fault', grep { defined } @$fault{qw(code string)});
    }

    my @words = map { $_->{text} } map { $_->kids('string') }
                $node->kids('ParameterNames');
    @words = map { $_->value('Name') . '=' . ($_->value('Value') // '') }
             map { $_->kids } $node->kids('ParameterList') unless @words;
    push @words, grep { length } map { $node->value($_) // '' }
                 qw(ParameterPath ObjectName FileType URL CommandKey);

    my $more = @words > 4 ? ' and ' . (@words - 4) . ' more' : '';
    splice(@words, 4) if @words > 4;
    return join(' ', $node->{local}, @words) . $more;
}


sub answer_name {
    my ($method, $inner) = @_;
    my $n = () = $inner =~ /<(?:ParameterValue|ParameterInfo)Struct>/g;
    my ($instance) = $inner =~ m{<InstanceNumber>(\d+)};
    my ($status) = $inner =~ m{<Status>(\d+)};

    return "${method}Response"
           . ($inner =~ /<ParameterList/ ? " $n parameter" . ($n == 1 ? '' : 's') : '')
           . (defined $instance ? " instance $instance" : '')
           . (defined $status ? " status $status" : '');
}


# --- the RPCs --------------------------------------------------------------

sub rpc_GetRPCMethods {
    return string_list('MethodList', sort keys %RPC);
}


sub rpc_GetParameterValues {
    my ($cpe, $node) = @_;
    my @names = map { $_->{text} } map { $_->kids } $node->kids('ParameterNames');

    CWMP::Model::throw(9003) unless @names;
    $cpe->refresh_clock;
    my %seen;
    my @paths = grep { !$seen{$_}++ } map { $cpe->model->below($_) } @names;
    return parameter_list(map { $cpe->model->shown($_) } @paths);
}


sub rpc_SetParameterValues {
    my ($cpe, $node) = @_;
    my $list = $node->child('ParameterList');

    CWMP::Model::throw(9003) unless $list && defined $node->child('ParameterKey');
    my @wanted = map {
        my $value = $_->child('Value') or CWMP::Model::throw(9003);
        my ($type) = ($value->attribute('type') // '') =~ /([^:]*)$/;
        [$_->value('Name') // '', $type, $value->{text}]
    } $list->kids;

    $cpe->model->set(@wanted);
    set_parameter_key($cpe, $node);
    return '<Status>' . ($cpe->{set_status} // 0) . '</Status>';
}


sub set_parameter_key {
    my ($cpe, $node) = @_;
    my $path = $cpe->path('ManagementServer.ParameterKey');
    $cpe->model->put($path, $node->value('ParameterKey') // '')
        if $cpe->model->has($path);
}


sub rpc_GetParameterNames {
    my ($cpe, $node) = @_;
    my $path = $node->value('ParameterPath');
    my $next = $node->value('NextLevel');

    CWMP::Model::throw(9003) unless defined $path && defined $next
                                    && $next =~ /^(?:0|1|true|false)$/;
    my @rows = $cpe->model->names($path, $next =~ /^(?:1|true)$/);
    return qq(<ParameterList soap-enc:arrayType="cwmp:ParameterInfoStruct[)
        . @rows . ']">' . join('', map {
            '<ParameterInfoStruct><Name>' . xml_escape($_->[0])
            . '</Name><Writable>' . ($_->[1] ? 1 : 0)
            . '</Writable></ParameterInfoStruct>'
        } @rows) . '</ParameterList>';
}


sub rpc_GetParameterAttributes {
    my ($cpe, $node) = @_;
    my @names = map { $_->{text} } map { $_->kids } $node->kids('ParameterNames');
    my @paths = map { $cpe->model->below($_) } @names;

    return qq(<ParameterList soap-enc:arrayType="cwmp:ParameterAttributeStruct[)
        . @paths . ']">' . join('', map {
            my $p = $cpe->model->{param}{$_};
            '<ParameterAttributeStruct><Name>' . xml_escape($_)
            . "</Name><Notification>$p->{notification}</Notification>"
            . string_list('AccessList', @{ $p->{access} || ['Subscriber'] })
            . '</ParameterAttributeStruct>'
        } @paths) . '</ParameterList>';
}


sub rpc_SetParameterAttributes {
    my ($cpe, $node) = @_;
    my @changes;

    for my $row (map { $_->kids } $node->kids('ParameterList')) {
        my $n = $row->value('Notification') // '';
        CWMP::Model::throw(9003) unless $n =~ /^[0-6]$/
                                        && $row->child('AccessList');
        push @changes, [$_, $row] for $cpe->model->below($row->value('Name'));
    }

    for my $change (@changes) {
        my ($path, $row) = @$change;
        my $p = $cpe->model->{param}{$path};
        $p->{notification} = $row->value('Notification')
            if $row->value('NotificationChange') =~ /^(?:1|true)$/;
        $p->{access} = [map { $_->{text} } $row->child('AccessList')->kids]
            if $row->value('AccessListChange') =~ /^(?:1|true)$/;
    }
    return '';
}


sub rpc_AddObject {
    my ($cpe, $node) = @_;
    my $n = $cpe->model->add_row($node->value('ObjectName') // '');
    set_parameter_key($cpe, $node);
    return "<InstanceNumber>$n</InstanceNumber><Status>0</Status>";
}


sub rpc_DeleteObject {
    my ($cpe, $node) = @_;
    $cpe->model->delete_row($node->value('ObjectName') // '');
    set_parameter_key($cpe, $node);
    return '<Status>0</Status>';
}


# The next session has 1 BOOT and M Reboot.
sub rpc_Reboot {
    my ($cpe, $node) = @_;
    my $key = $node->value('CommandKey') // '';

    push @{ $cpe->{after_session} }, sub {
        boot($cpe);
        $cpe->add_event('M Reboot', $key);
    };
    return '';
}


sub boot {
    my ($cpe) = @_;
    $cpe->{booted} = time();
    $cpe->{retry} = 0;
    @{ $cpe->{events} } = grep { $_->[0] !~ /^[48] / } @{ $cpe->{events} };
    $cpe->add_event('1 BOOT');
    $cpe->say('reboots');
}


# Everything is forgotten, what was to be told included.
sub rpc_FactoryReset {
    my ($cpe) = @_;

    push @{ $cpe->{after_session} }, sub {
        $cpe->{model} = $cpe->{factory}->clone;
        @$cpe{qw(events transfers scheduled changed)} = ([], [], [], {});
        $cpe->add_event('0 BOOTSTRAP');
        boot($cpe);
    };
    return '';
}


sub rpc_ScheduleInform {
    my ($cpe, $node) = @_;
    my $delay = $node->value('DelaySeconds') // '';
    my $key = $node->value('CommandKey') // '';

    CWMP::Model::throw(9003) unless $delay =~ /^[1-9]\d*$/;
    push @{ $cpe->{after_session} }, sub {
        push @{ $cpe->{scheduled} }, [time() + $delay, $key];
    };
    return '';
}


sub rpc_Download { return transfer(@_, 'Download', $_[0]{download}) }
sub rpc_Upload { return transfer(@_, 'Upload', $_[0]{upload}) }


# The window begins when the session ends.
sub rpc_ScheduleDownload {
    my ($cpe, $node) = @_;
    my @windows = $node->child('TimeWindowList')->kids;

    CWMP::Model::throw(9003) if !@windows || @windows > 2;
    queue_transfer($cpe, $node, 'ScheduleDownload', $cpe->{download} || {});
    return '';
}


sub rpc_CancelTransfer {
    my ($cpe, $node) = @_;
    my $key = $node->value('CommandKey') // '';
    @{ $cpe->{transfers} } = grep { $_->{key} ne $key } @{ $cpe->{transfers} };
    return '';
}


sub rpc_GetQueuedTransfers { return transfer_list($_[0], 'Queued') }
sub rpc_GetAllQueuedTransfers { return transfer_list($_[0], 'AllQueued') }


sub transfer_list {
    my ($cpe, $kind) = @_;
    my @all = @{ $cpe->{transfers} };
    return qq(<TransferList soap-enc:arrayType="cwmp:${kind}TransferStruct[)
        . @all . ']">' . join('', map {
            "<${kind}TransferStruct><CommandKey>" . xml_escape($_->{key})
            . '</CommandKey><State>' . ($_->{ready} ? 3 : 1) . '</State>'
            . ($kind eq 'Queued' ? '' : '<IsDownload>'
               . ($_->{method} eq 'Upload' ? 0 : 1) . '</IsDownload>'
               . '<FileType>1 Firmware Upgrade Image</FileType>'
               . '<FileSize>0</FileSize><TargetFileName></TargetFileName>')
            . "</${kind}TransferStruct>"
        } @all) . '</TransferList>';
}


sub rpc_SetVouchers { return '' }


sub rpc_GetOptions {
    return '<OptionList soap-enc:arrayType="cwmp:OptionStruct[0]">'
           . '</OptionList>';
}


# Accepted; what comes of it is a test's to tell.
sub rpc_ChangeDUState {
    my ($cpe, $node) = @_;
    CWMP::Model::throw(9003) unless $node->kids('Operations');
    return '';
}


sub transfer {
    my ($cpe, $node, $method, $how) = @_;
    $how ||= {};

    CWMP::Model::throw($how->{refuse}) if $how->{refuse};
    CWMP::Model::throw(9003) unless length($node->value('URL') // '')
                                    && length($node->value('FileType') // '');

    my $status = $how->{status} // 1;
    my $now = iso_time();
    if ($status == 0) {
        push @{ $cpe->{after_session} }, sub { upgraded($cpe, $node, $how) };
        return "<Status>0</Status><StartTime>$now</StartTime>"
               . "<CompleteTime>$now</CompleteTime>";
    }

    queue_transfer($cpe, $node, $method, $how);
    return "<Status>1</Status><StartTime>$UNKNOWN_TIME</StartTime>"
           . "<CompleteTime>$UNKNOWN_TIME</CompleteTime>";
}


sub queue_transfer {
    my ($cpe, $node, $method, $how) = @_;
    my $code = $how->{fault} // 0;
    my $transfer = { key => $node->value('CommandKey') // '', code => $code,
                     method => $method, ready => 0,
                     string => $code ? CWMP::Model::fault_string($code) : '' };

    if (($how->{when} // 'next') eq 'same') {
        $transfer->{ready} = 1;
        push @{ $cpe->{transfers} }, $transfer;
        return;
    }

    push @{ $cpe->{transfers} }, $transfer;
    push @{ $cpe->{after_session} }, sub {
        return unless grep { $_ == $transfer } @{ $cpe->{transfers} };
        $transfer->{ready} = 1;
        $cpe->add_event('7 TRANSFER COMPLETE');
        $cpe->add_event("M $method", $transfer->{key});
        upgraded($cpe, $node, $how) unless $code;
    };
}


# A new firmware means a boot and another version, named after the file.
sub upgraded {
    my ($cpe, $node, $how) = @_;
    my $path = $cpe->path('DeviceInfo.SoftwareVersion');

    return if ($node->value('FileType') // '') !~ /^1 Firmware/
              || !($how->{upgrade} // 1) || !$cpe->model->has($path);
    my ($name) = $node->value('URL') =~ m{([^/?]+?)(?:\.\w+)?(?:\?.*)?$};

    boot($cpe);
    $cpe->model->put($path, $name // 'unknown');
    $cpe->value_changed($path);
}

1;
