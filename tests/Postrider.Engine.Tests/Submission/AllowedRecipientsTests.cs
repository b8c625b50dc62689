using Postrider.Mail.Addresses;
using Postrider.Submission;
using Xunit;

namespace Postrider.Engine.Tests.Submission;

public sealed class AllowedRecipientsTests
{
    [Theory]
    [InlineData("", "anybody@anywhere.com", true)]
    [InlineData(null, "anybody@anywhere.com", true)]
    [InlineData("*", "anybody@anywhere.com", true)]
    [InlineData("*@example.com", "ann@example.com", true)]
    [InlineData("*@example.com", "ann@EXAMPLE.com", true)]
    [InlineData("*@example.com", "ann@sub.example.com", false)]
    [InlineData("*@example.com", "ann@badexample.com", false)]
    [InlineData("@example.com", "ann@example.com", true)]
    [InlineData("@example.com", "ann@example.org", false)]
    [InlineData("*@*.example.com", "ann@sub.example.com", true)]
    [InlineData("*@*.example.com", "ann@example.com", false)]
    [InlineData("*@*.example.com", "ann@badexample.com", false)]
    [InlineData("ann@example.com", "Ann@Example.com", true)]
    [InlineData("ann@example.com", "bob@example.com", false)]
    [InlineData("@example.org, bob@example.com\n*@example.net", "x@example.net", true)]
    [InlineData("@example.org, bob@example.com\n*@example.net", "x@example.com", false)]
    [InlineData("@bücher.example", "a@xn--bcher-kva.example", true)]
    [InlineData("@localhost", "a@localhost", true)]
    public void Patterns_say_who_gets_mail(string? patterns, string address, bool expected)
    {
        var allowed = AllowedRecipients.Parse(patterns, out var faults);
        Assert.Empty(faults);
        Assert.True(EmailAddress.TryParse(address, new AddressRules { AllowSingleLabelDomain = true }, out var parsed, out _));
        Assert.Equal(expected, allowed.Includes(parsed));
    }

    [Theory]
    [InlineData("example.com")]
    [InlineData("@")]
    [InlineData("*@")]
    [InlineData("a*@example.com")]
    [InlineData("ann@@example.com")]
    [InlineData("*@*")]
    [InlineData("*@a.*.com")]
    public void What_is_no_pattern_is_named_and_lets_nobody_pass(string pattern)
    {
        var allowed = AllowedRecipients.Parse(pattern, out var faults);
        Assert.Contains(pattern, Assert.Single(faults), StringComparison.Ordinal);
        Assert.False(allowed.Everybody);
        Assert.False(allowed.Includes(EmailAddress.Parse("ann@example.com")));
    }
}
