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
    public void An_address_is_found_wherever_it_is_written(string text)
    {
        Assert.True(_ann.IsIn(text));
        Assert.DoesNotContain("ann@example.com", _ann.Replace(text)!, StringComparison.OrdinalIgnoreCase);
    }

    [Theory]
    [InlineData("joann@example.com")]
    [InlineData("jo.ann@example.com")]
    [InlineData("jo+ann@example.com")]
    [InlineData("ann@example.com.br")]
    [InlineData("ann@example.community")]
    [InlineData("ann@example.com-pany.test")]
    public void A_longer_address_is_another_person(string text)
    {
        Assert.False(_ann.IsIn(text));
        Assert.Equal(text, _ann.Replace(text));
    }
}
