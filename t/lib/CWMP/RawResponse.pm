package CWMP::RawResponse;

# What came back for one POST: status, headers, body, and the few facts of the
# envelope that tests ask for.  The envelope is parsed on first use; on one
# that is not well-formed those calls die, with what is wrong.
#
#   ->status ->header('Set-Cookie') ->header_all(...) ->body ->continued
#   ->method   'InformResponse', 'GetParameterValues', 'Fault', undef (no body)
#   ->id ->ns ->node (of the method) ->arg('CommandKey')
#   ->params   [name, type, value]...      ->values  { name => value }
#   ->names    strings of ParameterNames   ->fault   { code, string, spv }

use strict;
use warnings;

use CWMP::XML;

my $SOAP = 'http://schemas.xmlsoap.org/soap/envelope/';


sub from_head {
    my ($class, $head) = @_;
    my ($first, @lines) = split(/\r\n/, $head);
    my ($version, $status) = $first =~ m{^HTTP/(1\.[01]) (\d{3})}
        or die "not an HTTP response: '$first'\n";

    my @headers = map {
        /^([^:\s]+):\s*(.*?)\s*$/ or die "bad header line: '$_'\n";
        [$1, $2];
    } @lines;

    return bless { version => $version, status => $status, body => '',
                   headers => \@headers }, $class;
}


sub status { return $_[0]{status} }
sub body { return $_[0]{body} }
sub headers { return $_[0]{headers} }
sub continued { return $_[0]{continued} }


sub header_all {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{headers} };
}


sub header {
    my ($self, $name) = @_;
    my ($value) = $self->header_all($name);
    return $value;
}


sub closes {
    my ($self) = @_;
    my $connection = lc($self->header('Connection') // '');
    return $connection =~ /\bclose\b/
           || ($self->{version} eq '1.0' && $connection !~ /keep-alive/);
}


# --- the envelope ----------------------------------------------------------

sub envelope {
    my ($self) = @_;
    return undef unless length $self->{body};
    return $self->{envelope} //= CWMP::XML::parse($self->{body});
}


# The one element in Body.
sub node {
    my ($self) = @_;
    my $envelope = $self->envelope or return undef;
    my $body = $envelope->child('Body') or return undef;
    my ($first) = $body->kids;
    return $first;
}


sub method {
    my ($self) = @_;
    my $node = $self->node or return undef;
    return $node->{local};
}


sub ns {
    my ($self) = @_;
    my $node = $self->node or return undef;
    my $cwmp = $node->{ns} eq $SOAP ? $node->at('detail', 'Fault') : $node;
    return $cwmp && $cwmp->{ns};
}


sub header_node {
    my ($self, $name) = @_;
    my $envelope = $self->envelope or return undef;
    return $envelope->at('Header', $name);
}


sub id {
    my ($self) = @_;
    my $node = $self->header_node('ID') or return undef;
    return $node->{text};
}


sub arg {
    my ($self, @path) = @_;
    my $node = $self->node or return undef;
    return $node->value(@path);
}


sub params {
    my ($self) = @_;
    my $node = $self->node or return;
    my $list = $node->child('ParameterList') or return;
    return map {
        my $value = $_->child('Value');
        [$_->value('Name'), $value && $value->attribute('type'),
         $value && $value->{text}];
    } $list->kids;
}


sub values {
    my ($self) = @_;
    return { map { ($_->[0] => $_->[2]) } $self->params };
}


sub names {
    my ($self) = @_;
    my $node = $self->node or return;
    my $list = $node->child('ParameterNames') || $node->child('MethodList')
        or return;
    return map { $_->{text} } $list->kids('string');
}


sub fault {
    my ($self) = @_;
    my $node = $self->node or return undef;
    return undef if $node->{local} ne 'Fault' || $node->{ns} ne $SOAP;
    my $cwmp = $node->at('detail', 'Fault');

    return {
        faultcode => $node->value('faultcode'),
        faultstring => $node->value('faultstring'),
        code => $cwmp && $cwmp->value('FaultCode'),
        string => $cwmp && $cwmp->value('FaultString'),
        spv => [map { [$_->value('ParameterName'), $_->value('FaultCode'),
                       $_->value('FaultString')] }
                $cwmp ? $cwmp->kids('SetParameterValuesFault') : ()],
    };
}


sub fault_code {
    my ($self) = @_;
    my $fault = $self->fault or return undef;
    return $fault->{code};
}

1;
