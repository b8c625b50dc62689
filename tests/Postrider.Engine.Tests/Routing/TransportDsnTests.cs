using FsCheck;
using FsCheck.Fluent;
using Postrider.Messages;
using Postrider.Routing;
using Xunit;

namespace Postrider.Engine.Tests.Routing;

public sealed class TransportDsnTests
{
    readonly List<TransportFault> _faults = [];

    IReadOnlyList<TransportSettings> Parse(string? text) => TransportDsn.ParseAll(text, _faults);

    TransportSettings One(string text)
    {
        var settings = Assert.Single(Parse(text));
        Assert.Empty(_faults);
        return settings;
    }

    [Fact]
    public void The_example_of_the_manual_is_read()
    {
        var parsed = Parse("mailgun://KEY@mg.example.com?region=eu  ses://ID:SECRET@eu-west-1?rate=14/s\nbackup=smtp://user:pass@host:587");
        Assert.Empty(_faults);
        Assert.Equal(["mailgun", "ses", "backup"], parsed.Select(settings => settings.Name));
        Assert.Equal(["mailgun", "ses", "smtp"], parsed.Select(settings => settings.Scheme));
        Assert.Equal(("KEY", null, "mg.example.com", null), (parsed[0].User, parsed[0].Password, parsed[0].Host, parsed[0].Port));
        Assert.Equal("eu", parsed[0].Options["region"]);
        Assert.Equal(("ID", "SECRET", "eu-west-1"), (parsed[1].User, parsed[1].Password, parsed[1].Host));
        Assert.Equal("14/s", parsed[1].Options["rate"]);
        Assert.Equal(("user", "pass", "host", 587), (parsed[2].User, parsed[2].Password, parsed[2].Host, parsed[2].Port));
    }

    [Fact]
    public void Names_that_are_not_given_count_up_and_leave_out_those_that_are() =>
        Assert.Equal(["smtp", "smtp-3", "smtp-2", "smtp-4", "sim"],
            Parse("smtp://a smtp://b smtp-2=smtp://c smtp://d sim://e").Select(settings => settings.Name));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(" \t\r\n")]
    public void Nothing_is_no_transport_and_no_fault(string? text)
    {
        Assert.Empty(Parse(text));
        Assert.Empty(_faults);
    }

    [Fact]
    public void User_password_and_values_are_percent_decoded_and_a_plus_stays_one()
    {
        var settings = One("smtp://us%40er:p%3A%2F%25%23+%C3%A9@host?auth=a%26b%3Dc+d");
        Assert.Equal("us@er", settings.User);
        Assert.Equal("p:/%#+é", settings.Password);
        Assert.Equal("a&b=c+d", settings.Options["auth"]);
    }

    [Fact]
    public void Unencoded_colons_in_a_password_are_understood() => Assert.Equal("a:b", One("smtp://u:a:b@host").Password);

    [Theory]
    [InlineData("smtp://[::1]:2525", "::1", 2525)]
    [InlineData("smtp://[2001:db8::1]", "2001:db8::1", null)]
    [InlineData("smtp://host/", "host", null)]
    [InlineData("capture://", "", null)]
    [InlineData("sim://NAME?seed=1", "NAME", null)]
    public void Hosts_are_read(string dsn, string host, int? port) => Assert.Equal((host, port), (One(dsn).Host, One(dsn).Port));

    [Theory]
    [InlineData("smtp//host", "transport 1: is written name=scheme://")]
    [InlineData("SMTP://host", "transport 1: is written name=scheme://")]
    [InlineData("Näme=smtp://host", "transport 1: the name in front of '='")]
    [InlineData("=smtp://host", "transport 1: the name in front of '='")]
    [InlineData("smtp://host:99999", "transport 1 (smtp): the port is a number from 1 to 65535")]
    [InlineData("smtp://host:0", "the port is a number")]
    [InlineData("x=smtp://host:", "x: the port is a number")]
    [InlineData("smtp://host/path", "the host is a name")]
    [InlineData("smtp://a:b:25", "the host is a name")]
    [InlineData("smtp://us%4ger@host", "the user is not percent-encoded text")]
    [InlineData("smtp://u:%ff@host", "the password is not percent-encoded text")]
    [InlineData("smtp://u:a%0d%0ab@host", "the password is not percent-encoded text (a '%' is written %25) or holds a control character")]
    [InlineData("smtp://host#x", "'#' must be written as %23")]
    [InlineData("smtp://host?rate", "option 'rate' has no value")]
    [InlineData("smtp://host?rate=", "option 'rate' has no value")]
    [InlineData("smtp://host?rate=1/s&RATE=2/s", "option 'rate' is given twice")]
    [InlineData("smtp://host?=1", "an option is written name=value")]
    [InlineData("smtp://host?tls=%zz", "option 'tls' is not percent-encoded text")]
    [InlineData("a=smtp://x a=smtp://y", "a: there are two transports of this name")]
    public void Faults_are_named_in_words(string dsn, string words)
    {
        Parse(dsn);
        Assert.Contains(words, string.Join('\n', _faults));
    }

    [Fact]
    public void All_faults_are_named_at_once_and_the_good_ones_are_still_read()
    {
        var parsed = Parse("smtp://a:0 good=smtp://b smtp://c?x=%zz bad");
        Assert.Equal(["good"], parsed.Select(settings => settings.Name));
        Assert.Equal(3, _faults.Count);
    }

    [Theory]
    [InlineData("smtp://user:hunter2%zz@host")]
    [InlineData("smtp://user:hunter2@host:bad")]
    [InlineData("smtp://hunter2:x@host#")]
    [InlineData("hunter2=@smtp://host")]
    public void Faults_repeat_no_secret(string dsn)
    {
        Parse(dsn);
        Assert.NotEmpty(_faults);
        Assert.DoesNotContain("hunter2", string.Join('\n', _faults.Where(fault => fault.Transport != "hunter2")));
    }

    [Theory]
    [InlineData("a=smtp://user:hunter2@host:587?tls=starttls", "a=smtp://user:***@host:587?tls=starttls")]
    [InlineData("a=mailgun://hunter2@mg.example.com", "a=mailgun://***@mg.example.com")]
    [InlineData("a=ses://ID:hunter2@eu?callback_key=hunter2&rate=14/s,2", "a=ses://ID:***@eu?callback_key=***&rate=14/s,2")]
    [InlineData("a=sim://x?outage=10s+60s&domains=gmail.com:5,20/s,5m;*:20", "a=sim://x?outage=10s+60s&domains=gmail.com:5,20/s,5m;*:20")]
    [InlineData("a=smtp://[::1]:25", "a=smtp://[::1]:25")]
    public void What_is_shown_holds_no_secret(string dsn, string shown) => Assert.Equal(shown, TransportDsn.Show(One(dsn)));

    [Fact]
    public void What_is_written_reads_back_the_same()
    {
        var texts = ArbMap.Default.GeneratorFor<string>().Select(
            text => new string([.. (text ?? "").Where(c => !char.IsControl(c) && !char.IsSurrogate(c))]));
        var settings =
            from name in Gen.Elements("a", "backup-2", "x.y_z")
            from host in Gen.Elements("", "host", "::1", "mg.example.com", "bücher.example")
            from user in Gen.OrNull(texts)
            from password in Gen.OrNull(texts)
            from port in Gen.Choose(0, 65535)
            from values in Gen.ArrayOf(texts.Where(text => text.Length > 0), 3)
            select new TransportSettings
            {
                Name = name,
                Scheme = "smtp",
                Host = host,
                User = user,
                Password = user is null ? null : password,
                Port = port == 0 ? null : port,
                Options = values.Index().ToDictionary(entry => $"o{entry.Index}", entry => entry.Item),
            };
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(settings.ToArbitrary(), before =>
        {
            var faults = new List<TransportFault>();
            var after = TransportDsn.ParseAll(TransportDsn.Write(before), faults).SingleOrDefault();
            return faults.Count == 0 && after is not null && after.Options.SequenceEqual(before.Options)
                && (after with { Options = before.Options }) == before;
        }));
    }

    [Fact]
    public void No_text_makes_it_throw() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3_000), Prop.ForAll(
            Gen.ListOf(Gen.Elements("smtp", "://", "a", "=", "@", ":", "?", "&", "%4", "%41", "%", "[", "]", "/", " ", "#", "é", "\0", "x"))
                .Select(parts => string.Concat(parts)).ToArbitrary(),
            text =>
            {
                var faults = new List<TransportFault>();
                var parsed = TransportDsn.ParseAll(text, faults);
                return parsed.Select(settings => settings.Name).Distinct().Count() == parsed.Count;
            }));

    [Theory]
    [InlineData("smtp://ann@example.com:secret@mail.example.com:587")]
    [InlineData("smtp://ann:se/cret@mail.example.com")]
    [InlineData("ses://AKIA:abc/def@eu-west-1")]
    public void A_raw_at_sign_or_slash_in_user_or_password_is_refused_without_showing_it(string dsn)
    {
        var faults = new List<TransportFault>();
        Assert.Empty(TransportDsn.ParseAll(dsn, faults));
        var fault = Assert.Single(faults).ToString();
        Assert.Contains("%40 and %2F", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("cret", fault, StringComparison.Ordinal);
    }
}
