using Postrider.Messages;
using Postrider.Retention;
using Postrider.Storage.Tables;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

public sealed class ErasedAddressTests
{
    readonly ErasedAddress _ann = new(new Erasure
    {
        Tenant = TenantId.First,
        Address = "ann@example.com",
        Pseudonym = "erased@erased.invalid",
        CreatedAt = default,
        CreatedBy = "key",
    });

    [Theory]
    [InlineData("ann@example.com")]
    [InlineData("ANN@Example.COM")]
    [InlineData("Dear <ann@example.com>, hello")]
    [InlineData("550 no such user ann@example.com.")]
    [InlineData("to=ann@example.com")]
    [InlineData("""{"text":"a\nann@example.com\u003e"}""")]
    [InlineData("""{"to":"\u003cann@example.com\u003e"}""")]
    [InlineData("""{"to":"\u0061nn\u0040EXAMPLE\u002Ecom"}""")]
    [InlineData("""{"test_data":"{\"to\":\"\\u0061nn\\u0040EXAMPLE.com\"}"}""")]
    [InlineData("/suppressions/ann%40example.com")]
    [InlineData("/lists/1%2Fann%40example.com%20")]
    public void An_address_is_found_wherever_it_is_written(string text)
    {
        Assert.True(_ann.IsIn(text));
        Assert.DoesNotContain("ann@example.com", _ann.Replace(text)!, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("Jörg+X@xn--bcher-kva.example")]
    [InlineData("JÖRG+x@BÜCHER.example")]
    [InlineData("""{"to":"J\u00D6rg\u002Bx\u0040B\u00fccher.example"}""")]
    [InlineData("/suppressions/j%C3%B6rg%2Bx%40b%c3%bccher.example")]
    public void An_address_that_is_not_ascii_is_found_in_every_spelling(string text)
    {
        var joerg = new ErasedAddress(new Erasure
        {
            Tenant = TenantId.First,
            Address = "jörg+x@xn--bcher-kva.example",
            Pseudonym = "erased@erased.invalid",
            CreatedAt = default,
            CreatedBy = "key",
        });
        Assert.True(joerg.IsIn(text));
        Assert.EndsWith("erased@erased.invalid", joerg.Replace(text)!.TrimEnd('"', '}'));
    }

    [Theory]
    [InlineData("joann@example.com")]
    [InlineData("jo.ann@example.com")]
    [InlineData("jo+ann@example.com")]
    [InlineData("ann@example.com.br")]
    [InlineData("ann@example.community")]
    [InlineData("ann@example.com-pany.test")]
    [InlineData("""{"to":"jo\u002Bann\u0040example.com"}""")]
    [InlineData("""{"to":"ann\u0040example.com\u002Ebr"}""")]
    [InlineData("/suppressions/jo%2Bann%40example.com")]
    [InlineData("/suppressions/j%C3%B6ann%40example.com")]
    public void A_longer_address_is_another_person(string text)
    {
        Assert.False(_ann.IsIn(text));
        Assert.Equal(text, _ann.Replace(text));
    }
}
