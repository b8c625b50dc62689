using System.Text;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;
using Postrider.Providers;
using Postrider.Providers.Ses;
using Xunit;

namespace Postrider.Engine.Tests.Providers.Ses;

public sealed class SigV4Tests
{
    // The access key pair is the one of AWS's documentation, not a real one.
    const string AccessKey = "AKIDEXAMPLE";
    const string Secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const string Path = "/v2/email/outbound-emails";
    const string Body = """{"FromEmailAddress":"s@example.com","Destination":{"ToAddresses":["a@example.net"]},"Content":{"Simple":{"Subject":{"Data":"s"},"Body":{"Text":{"Data":"t"}}}}}""";
    static readonly DateTimeOffset Now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly SesDialect Dialect = new();

    /// <summary>Made by the vendor's own signing library.</summary>
    [Fact]
    public void The_known_vector_comes_out()
    {
        var hash = SigV4.HashOf(Encoding.UTF8.GetBytes(Body));
        var canonical = SigV4.Canonical("POST", Path,
            [new("Host", "ses.example.test"), new("Content-Type", "application/json"), new("X-Amz-Date", "20300101T000000Z"),
                new("Other", "x")],
            ["content-type", "host", "x-amz-date"], hash);

        Assert.Equal("80010a1790f9fa8ee07f2c57679d5c9d43e7257bbd1c9f01177eb76b56565deb", hash);
        Assert.Equal("4c71a71e483ecc0df9d7d8d1b5c89d7b22ee279446f50ccc3503374bc483b768", SigV4.HashOf(Encoding.UTF8.GetBytes(canonical)));
        Assert.Equal("07b6653e1ab26170c5175ddd2e9594701319170808471101681e835cc1ef15f6",
            SigV4.Signature(Secret, new SigV4Scope("20300101", "us-east-1", "ses"), "20300101T000000Z", canonical));
    }

    [Theory]
    [InlineData("eu-west-1", "canonical\nrequest")]
    [InlineData("us-gov-west-1", "")]
    public void The_vendors_library_computes_the_same_signatures(string region, string canonical)
    {
        var theirs = AWS4Signer.ComputeSignature(new ImmutableCredentials(AccessKey, Secret, null), region, Now.UtcDateTime, "ses",
            "host;x-amz-date", canonical);

        Assert.Equal(theirs.Signature, SigV4.Signature(Secret, new SigV4Scope("20300101", region, "ses"), "20300101T000000Z", canonical));
    }

    [Fact]
    public void What_we_sign_stands_and_says_whose_it_is()
    {
        var call = Signed();

        Assert.Equal(new DialectCredential(AccessKey, IsSigned: true), Dialect.ReadCredential(call));
        Assert.Null(Dialect.Verify(call, Secret, Now));
    }

    [Theory]
    [InlineData("/ses//v2/email/./outbound-emails")]
    [InlineData("/v2/email/outbound-emails?b=2&a=1&a=%2B&c")]
    [InlineData("/a%20b/../v2/email/outbound-emails")]
    public void Slashes_dots_and_queries_are_made_canonical_on_both_sides(string target) =>
        Assert.Null(Dialect.Verify(Signed(target), Secret, Now));

    public static TheoryData<string, string> Tampered { get; } = new()
    {
        { "secret", "SignatureDoesNotMatch" },
        { "body", "SignatureDoesNotMatch" },
        { "host", "SignatureDoesNotMatch" },
        { "port", "SignatureDoesNotMatch" },
        { "path", "SignatureDoesNotMatch" },
        { "method", "SignatureDoesNotMatch" },
        { "signature", "SignatureDoesNotMatch" },
        { "hash", "SignatureDoesNotMatch" },
        { "late", "InvalidSignatureException" },
        { "early", "InvalidSignatureException" },
        { "token", "IncompleteSignatureException" },
        { "unsigned header", "IncompleteSignatureException" },
        { "no date", "IncompleteSignatureException" },
        { "other day", "IncompleteSignatureException" },
        { "none", "IncompleteSignatureException" },
    };

    [Theory]
    [MemberData(nameof(Tampered))]
    public void What_was_changed_does_not_stand(string what, string type)
    {
        var call = Signed();
        var (secret, now) = (Secret, Now);
        switch (what)
        {
            case "secret": secret += "x"; break;
            case "body": call = call with { Body = Encoding.UTF8.GetBytes(Body.Replace("a@", "b@", StringComparison.Ordinal)) }; break;
            case "host": call = Replace(call, "host", "evil.example"); break;
            case "port": call = Replace(call, "host", "ses.example.test:8080"); break;
            case "path": call = call with { Target = "/v2/email/outbound-bulk-emails" }; break;
            case "method": call = call with { Method = "PUT" }; break;
            case "signature": call = Replace(call, "Authorization", call.Header("Authorization")![..^1] + "0", "1"); break;
            case "hash": call = Replace(call, "x-amz-content-sha256", new string('0', 64)); break;
            case "late": now += TimeSpan.FromMinutes(16); break;
            case "early": now -= TimeSpan.FromMinutes(16); break;
            case "token": call = Signed(token: "session"); break;
            case "unsigned header": call = call with { Headers = [.. call.Headers, new("X-Amz-Target", "x")] }; break;
            case "no date": call = call with { Headers = [.. call.Headers.Where(h => h.Key != "x-amz-date")] }; break;
            case "other day":
                call = Replace(call, "Authorization",
                call.Header("Authorization")!.Replace("/20300101/", "/20300102/", StringComparison.Ordinal)); break;
            case "none": call = Replace(call, "Authorization", "Bearer x"); break;
        }

        var problem = Dialect.Verify(call, secret, now);

        Assert.NotNull(problem);
        var answer = Dialect.Refuse(problem);
        Assert.Equal(403, answer.Status);
        Assert.Contains(new("x-amzn-errortype", type), answer.Headers);
    }

    [Fact]
    public void Runs_of_spaces_and_repeated_headers_do_not_matter()
    {
        List<KeyValuePair<string, string>> sent = [new("host", "h"), new("x-custom", "a b"), new("x-custom", "c")];
        var call = Call(Path,
            [.. sent, .. SigV4.Sign(new("POST", Path, sent, Encoding.UTF8.GetBytes(Body)), new SesKey(AccessKey, Secret), "r", Now)]);

        Assert.Null(Dialect.Verify(Replace(call, "x-custom", "  a    b ", only: "a b"), Secret, Now));
    }

    static InboundCall Replace(InboundCall call, string name, string value, string? otherwise = null, string? only = null) => call with
    {
        Headers = [.. call.Headers
            .Select(h => !h.Key.Equals(name, StringComparison.OrdinalIgnoreCase) || (only is not null && h.Value != only) ? h
            : new(h.Key, value == h.Value && otherwise is not null ? value[..^1] + otherwise : value))],
    };

    static InboundCall Signed(string target = Path, string? token = null)
    {
        List<KeyValuePair<string, string>> headers = [new("Host", "ses.example.test"), new("Content-Type", "application/json")];
        var own = SigV4.Sign(new("POST", target, headers, Encoding.UTF8.GetBytes(Body)), new SesKey(AccessKey, Secret, token), "us-east-1",
            Now);
        return Call(target, [.. headers, .. own]);
    }

    static InboundCall Call(string target, IReadOnlyList<KeyValuePair<string, string>> headers) => new()
    {
        Method = "POST",
        Path = target.Split('?')[0],
        Target = target,
        Headers = headers,
        Body = Encoding.UTF8.GetBytes(Body),
    };
}
