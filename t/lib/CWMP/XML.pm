package CWMP::XML;

# As much XML as CWMP needs, in core Perl: a namespace-aware parser for one
# document, and escaping.  It is meant to be as strict as a strict CPE: what
# is not well-formed, or uses an unbound prefix, dies with the place.
#
#   my $root = CWMP::XML::parse($bytes);
#   $root->{local}, $root->{ns}, $root->{attr}{'xsi:type'}, $root->{text}
#   $node->child('Name'), $node->kids('ParameterValueStruct'), $node->value

use strict;
use warnings;

use Encode ();
use Exporter 'import';

our @EXPORT_OK = qw(xml_escape xml_unescape);

my %ENTITY = (amp => '&', lt => '<', gt => '>', quot => '"', apos => "'");
my $NAME = qr/[A-Za-z_\x{80}-\x{10FFFF}][-A-Za-z0-9_.\x{80}-\x{10FFFF}]*/;
my $QNAME = qr/(?:$NAME:)?$NAME/;


sub xml_escape {
    my ($text) = @_;
    $text //= '';
    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    $text =~ s/>/&gt;/g;
    $text =~ s/"/&quot;/g;
    $text =~ s/([\x00-\x08\x0B\x0C\x0E-\x1F])//g;
    $text =~ s/\r/&#13;/g;
    return $text;
}


sub xml_unescape {
    my ($text) = @_;
    $text =~ s/&(?:#(\d+)|#x([0-9A-Fa-f]+)|([A-Za-z]+)|)(;|)/entity($1, $2, $3, $4)/ge;
    return $text;
}


sub entity {
    my ($decimal, $hex, $name, $semicolon) = @_;

    die "XML: a bare '&'\n" unless $semicolon;
    my $code = defined $decimal ? $decimal : defined $hex ? hex($hex) : undef;
    if (defined $code) {
        die "XML: character $code is illegal\n"
            if $code < 32 && $code != 9 && $code != 10 && $code != 13;
        return chr($code);
    }
    return $ENTITY{ $name // '' } // die "XML: unknown entity '$name'\n";
}


sub parse {
    my ($bytes) = @_;
    my $text = decode_text($bytes);

    die "XML: illegal character\n" if $text =~ /[\x00-\x08\x0B\x0C\x0E-\x1F]/;
    pos($text) = 0;
    $text =~ /\G\x{FEFF}?(?:<\?xml\s[^>]*\?>)?/gc;
    skip_misc(\$text);

    my $root = parse_element(\$text, { xml => 'xml' }) or
        die 'XML: no element' . place(\$text);
    skip_misc(\$text);
    die 'XML: something follows the root' . place(\$text)
        if pos($text) < length $text;
    return $root;
}


sub decode_text {
    my ($bytes) = @_;
    return $bytes if utf8::is_utf8($bytes);
    my $copy = $bytes;
    my $text = eval { Encode::decode('UTF-8', $copy, Encode::FB_CROAK) };
    die "XML: not UTF-8\n" unless defined $text;
    return $text;
}


sub place {
    my ($in) = @_;
    my $at = pos($$in) // 0;
    return " at offset $at: '" . substr($$in, $at, 40) . "'\n";
}


sub skip_misc {
    my ($in) = @_;
    1 while $$in =~ /\G(?:\s+|<!--.*?-->|<\?.*?\?>)/gcs;
}


sub parse_element {
    my ($in, $scope) = @_;

    $$in =~ /\G<($QNAME)/gc or return;
    my $name = $1;
    my $attr = parse_attributes($in, $name);
    my $node = CWMP::XML::Node->new($name, $attr, $scope);

    return $node if $$in =~ m{\G\s*/>}gc;
    $$in =~ /\G\s*>/gc or die "XML: <$name> is not closed" . place($in);
    parse_content($in, $node);
    $$in =~ m{\G</\Q$name\E\s*>}gc or
        die "XML: </$name> is missing" . place($in);
    return $node;
}


sub parse_attributes {
    my ($in, $element) = @_;
    my %attr;

    while ($$in =~ /\G\s+($QNAME)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/gc) {
        my ($name, $value) = ($1, $2 // $3);
        die "XML: attribute $name twice in <$element>\n"
            if exists $attr{$name};
        $attr{$name} = xml_unescape($value);
    }
    return \%attr;
}


sub parse_content {
    my ($in, $node) = @_;

    while (1) {
        if ($$in =~ /\G([^<]+)/gc) {
            my $text = $1;
            $text =~ s/\r\n?/\n/g;
            $node->{text} .= xml_unescape($text);

        } elsif ($$in =~ /\G<!\[CDATA\[(.*?)\]\]>/gcs) {
            $node->{text} .= $1;

        } elsif ($$in =~ /\G(?:<!--.*?-->|<\?.*?\?>)/gcs) {
            next;

        } else {
            my $kid = parse_element($in, $node->{scope}) or return;
            push @{ $node->{kids} }, $kid;
        }
    }
}


package CWMP::XML::Node;

sub new {
    my ($class, $qname, $attr, $outer) = @_;
    my %scope = %$outer;

    for my $name (keys %$attr) {
        $scope{''} = $attr->{$name} if $name eq 'xmlns';
        $scope{$1} = $attr->{$name} if $name =~ /^xmlns:(.+)/;
    }
    for my $name ($qname, grep { !/^xmlns/ } keys %$attr) {
        die "XML: prefix of '$name' is not bound\n"
            if $name =~ /^(.+):/ && !exists $scope{$1};
    }

    my ($prefix, $local) = $qname =~ /^(?:(.*):)?(.*)$/;
    return bless { name => $qname, local => $local, attr => $attr, text => '',
                   ns => $scope{ $prefix // '' } // '', kids => [],
                   scope => \%scope }, $class;
}


sub child {
    my ($self, $local) = @_;
    my ($found) = $self->kids($local);
    return $found;
}


sub kids {
    my ($self, $local) = @_;
    return grep { !defined $local || $_->{local} eq $local }
           @{ $self->{kids} };
}


# Down a path of names: $node->at('Header', 'ID').
sub at {
    my ($self, @names) = @_;
    for my $name (@names) {
        $self = $self->child($name) or return undef;
    }
    return $self;
}


sub value {
    my ($self, @names) = @_;
    my $node = $self->at(@names) or return undef;
    return $node->{text};
}


# An attribute by its local name, whatever its prefix.
sub attribute {
    my ($self, $local) = @_;
    my ($name) = grep { /(?:^|:)\Q$local\E$/ } sort keys %{ $self->{attr} };
    return defined $name ? $self->{attr}{$name} : undef;
}

1;
