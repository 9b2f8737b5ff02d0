package CWMP::Captured;

# Messages as devices sent them (../shared/corpus), read by a parser that has
# nothing in common with the server's: expat builds a tree, and the tables here
# say, from TR-069 Annex A, what a message of a method tells.  So what the
# server made of the same bytes can be compared.
#
#   my @messages = CWMP::Captured->all or plan skip_all => '...';
#   $m->file, $m->message ('Inform', 'RebootResponse', 'Fault'), $m->bytes
#   $m->id        text of the ID header, or undef
#   $m->told      what the message's arguments say, as a result has it in JSON
#   $m->params    { path => { type, value } } of its ParameterList
#   $m->informed  of an Inform: who it is, its events, its namespace
#
# The tables know neither the server's source nor its limits.

use strict;
use warnings;

use FindBin;
use JSON::PP ();
use XML::Parser;

use CWMP::Daemon qw(slurp);

my $CORPUS = "$FindBin::Bin/../../shared/corpus";

# What expat does not take, and what is left out of it before: nothing but an
# attribute that is there twice.
my %MENDED = (
    'jiuzhou_jiuzhouv10_dancejc_RebootResponse.xml' =>
        qr/ SOAP-ENV:mustUnderstand=""/,
);

# Types by the name that Redis has for them, without a bound behind it; none is
# a string, all else is unknown.
my %TYPE = ('' => 'string', base64 => 'base64Binary', map { ($_ => $_) }
    qw(string boolean int long unsignedInt unsignedLong decimal dateTime
       base64Binary hexBinary));


# --- what a message tells ----------------------------------------------------

my @FAULT = (FaultCode => 'number', FaultString => 'text');
my @VALUES = (ParameterList => { item => [Name => 'word', Value => 'value'] });
my @TRANSFER = (Status => 'number', StartTime => 'word',
                CompleteTime => 'word');
my @TIMES = (FaultStruct => [@FAULT], StartTime => 'word',
             CompleteTime => 'word');
my @UNIT = (UUID => 'text', DeploymentUnitRef => 'text', Version => 'text',
            CurrentState => 'word', Resolved => 'boolean',
            ExecutionUnitRefList => 'text', StartTime => 'word',
            CompleteTime => 'word', Fault => [@FAULT]);

my %TELLS = (
    GetRPCMethodsResponse => [MethodList => { item => 'word' }],
    GetParameterValuesResponse => [@VALUES],
    SetParameterValuesResponse => [Status => 'number'],
    GetParameterNamesResponse => [ParameterList => { item => [
        Name => 'word', Writable => 'boolean'] }],
    GetParameterAttributesResponse => [ParameterList => { item => [
        Name => 'word', Notification => 'number',
        AccessList => { item => 'word' }] }],
    AddObjectResponse => [InstanceNumber => 'number', Status => 'number'],
    DeleteObjectResponse => [Status => 'number'],
    DownloadResponse => [@TRANSFER],
    UploadResponse => [@TRANSFER],
    GetQueuedTransfersResponse => [TransferList => { item => [
        CommandKey => 'text', State => 'number'] }],
    GetAllQueuedTransfersResponse => [TransferList => { item => [
        CommandKey => 'text', State => 'number', IsDownload => 'boolean',
        FileType => 'text', FileSize => 'number',
        TargetFileName => 'text'] }],
    GetOptionsResponse => [OptionList => { item => [
        OptionName => 'text', VoucherSN => 'number', State => 'number',
        Mode => 'number', StartDate => 'word', ExpirationDate => 'word?',
        IsTransferable => 'boolean'] }],
    TransferComplete => [CommandKey => 'text', @TIMES],
    AutonomousTransferComplete => [AnnounceURL => 'text',
        TransferURL => 'text', IsDownload => 'boolean', FileType => 'text',
        FileSize => 'number', TargetFileName => 'text', @TIMES],
    DUStateChangeComplete => [Results => { each => [@UNIT] },
                              CommandKey => 'text'],
    AutonomousDUStateChangeComplete => [Results => { each => [
        @UNIT, OperationPerformed => 'word'] }],
    RequestDownload => [FileType => 'text', FileTypeArg => { item => [
        Name => 'text', Value => 'text'] }],
    Kicked => [Command => 'text', Referer => 'text', Arg => 'text',
               Next => 'text'],
    (map { ("${_}Response" => []) } qw(Reboot FactoryReset ScheduleDownload
        ScheduleInform CancelTransfer SetParameterAttributes SetVouchers
        ChangeDUState)),
);


sub all {
    my ($class) = @_;
    return unless -f "$CORPUS/INDEX.tsv";

    my ($first, @rows) = split(/\n/, slurp("$CORPUS/INDEX.tsv"));
    my @names = split(/\t/, $first);
    return map {
        my %row;
        @row{@names} = split(/\t/, $_, -1);
        bless { %row, bytes => slurp("$CORPUS/$row{file}") }, $class;
    } @rows;
}


sub file { return $_[0]{file} }
sub message { return $_[0]{message} }
sub bytes { return $_[0]{bytes} }


# --- the tree ----------------------------------------------------------------

# { name (local), attr => { local => text }, text, kids => [] }
sub tree {
    my ($self) = @_;
    return $self->{tree} //= parse($self->{bytes}, $MENDED{ $self->{file} });
}


sub parse {
    my ($bytes, $mend) = @_;
    my $top = { kids => [] };
    my @open = ($top);

    $bytes =~ s/^\s+//;
    $bytes =~ s/$mend//g or die "nothing to mend\n" if $mend;
    XML::Parser->new(Handlers => {
        Start => sub {
            my (undef, $name, %attr) = @_;
            my $node = { name => local_name($name), text => '', kids => [],
                attr => { map { (local_name($_) => $attr{$_}) } keys %attr } };
            push @{ $open[-1]{kids} }, $node;
            push @open, $node;
        },
        End => sub { pop @open },
        Char => sub { $open[-1]{text} .= $_[1] },
    })->parse($bytes);
    return $top->{kids}[0];
}


sub local_name { return $_[0] =~ s/^.*://r }


sub kid {
    my ($node, $name) = @_;
    my ($found) = grep { $_->{name} eq $name } @{ $node->{kids} };
    return $found;
}


# The first of this name, however deep.
sub inside {
    my ($node, $name) = @_;
    for my $kid (@{ $node->{kids} }) {
        my $found = $kid->{name} eq $name ? $kid : inside($kid, $name);
        return $found if $found;
    }
    return undef;
}


sub header {
    my ($self, $name) = @_;
    my $header = kid($self->tree, 'Header') or return undef;
    return kid($header, $name);
}


# The one message in Body.
sub node {
    my ($self) = @_;
    return kid($self->tree, 'Body')->{kids}[0];
}


sub id {
    my ($self) = @_;
    my $id = $self->header('ID');
    return $id && ($id->{text} =~ /\S/ ? $id->{text} : '');
}


# --- words, texts, numbers ---------------------------------------------------

sub word { return $_[0] =~ s/^\s+|\s+$//gr }


# Blanks belong to a text, unless they are indentation.
sub text {
    my ($text) = @_;
    return $text =~ /^[ \t]*[\r\n]|[\r\n][ \t]*$/ ? word($text) : $text;
}


sub number {
    my $word = word($_[0]);
    return $word =~ /^(?:0|-?[1-9]\d{0,17})$/ ? 0 + $word : $word;
}


sub boolean {
    my $word = word($_[0]);
    return JSON::PP::true if $word =~ /^(?:1|true|yes|on)$/i;
    return JSON::PP::false if $word =~ /^(?:|0|false|no|off)$/i;
    return $word;
}


my %LEAF = (word => \&word, text => \&text, number => \&number,
            boolean => \&boolean, value => \&text);


sub type {
    my ($value) = @_;
    my $type = word($value->{attr}{type} // '') =~ s/\(\d+\)$//r =~ s/^.*://r;
    return 'xsd:' . ($TYPE{$type} // 'anySimpleType');
}


# --- by the tables -----------------------------------------------------------

sub told {
    my ($self) = @_;
    return $self->fault if $self->{message} eq 'Fault';
    my $tells = $TELLS{ $self->{message} }
        or die "$self->{message} is not in the tables\n";
    return members($self->node, $tells);
}


sub members {
    my ($node, $fields) = @_;
    my @fields = @$fields;
    my %told;

    while (my ($name, $kind) = splice(@fields, 0, 2)) {
        my $optional = !ref $kind && $kind =~ s/\?$//;
        my $kid = kid($node, $name);
        next if $optional && !($kid && length word($kid->{text}));

        $told{$name} = ref $kind eq 'HASH' ? list($node, $kid, $name, $kind)
            : ref $kind ? members(unwrapped($kid), $kind)
            : $LEAF{$kind}->($kid ? $kid->{text} : '');
        $told{Type} = type($kid || {}) if $kind eq 'value';
    }
    return \%told;
}


# A Fault that has its struct inside, and the like.
sub unwrapped {
    my ($node) = @_;
    my @kids = $node ? @{ $node->{kids} } : ();
    return @kids == 1 && $kids[0]{name} =~ /Struct$/ ? $kids[0]
           : { kids => \@kids };
}


# The items of an array, or each element of this name (which some make an
# array all the same).
sub list {
    my ($node, $kid, $name, $kind) = @_;
    my $item = $kind->{item} || $kind->{each};
    my @nodes = $kind->{item} || $kid && $kid->{attr}{arrayType}
                ? ($kid ? @{ $kid->{kids} } : ())
                : grep { $_->{name} eq $name } @{ $node->{kids} };
    return [map { ref $item ? members($_, $item)
                            : $LEAF{$item}->($_->{text}) } @nodes];
}


sub fault {
    my ($self) = @_;
    my $detail = inside($self->node, 'detail');
    my $cwmp = $detail && kid($detail, 'Fault')
        or die "$self->{file}: a Fault without CWMP's\n";
    my $told = members($cwmp, [@FAULT]);
    my $spv = list($cwmp, undef, 'SetParameterValuesFault',
                   { each => [ParameterName => 'word', @FAULT] });
    $told->{SetParameterValuesFault} = $spv if @$spv;
    return $told;
}


sub params {
    my ($self) = @_;
    my $rows = members($self->node, \@VALUES)->{ParameterList};
    return { map { ($_->{Name} => { type => $_->{Type},
                                    value => $_->{Value} }) }
             grep { $_->{Name} =~ /[^.]$/ } @$rows };
}


sub informed {
    my ($self) = @_;
    my ($ns) = $self->{bytes} =~ /(urn:dslforum-org:cwmp-1-\d)/;
    my $told = members($self->node, [
        DeviceId => [Manufacturer => 'text', OUI => 'word',
                     ProductClass => 'word', SerialNumber => 'word'],
        Event => { item => [EventCode => 'word'] }]);
    return { ns => $ns, %{ $told->{DeviceId} },
             events => [map { $_->{EventCode} } @{ $told->{Event} }] };
}

1;
