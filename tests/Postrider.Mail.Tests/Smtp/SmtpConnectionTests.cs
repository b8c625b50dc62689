using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

public sealed class SmtpConnectionTests
{
    [Fact]
    public async Task A_message_arrives_as_it_was_given()
    {
        await using var sink = SmtpSink.Start();
        await using var connection = await Mails.ConnectAsync(Mails.At(sink));

        var result = await connection.SendAsync(Mails.To("one@to.test", "two@to.test"));

        Assert.Null(result.Failure);
        Assert.Equal(250, result.Final?.Code);
        Assert.Equal([SmtpRecipientState.Accepted, SmtpRecipientState.Accepted], result.States);
        var message = Assert.Single(sink.Messages);
        Assert.Equal(Mails.Text, message.Text);
        Assert.Equal("sender@from.test", message.ReversePath);
        Assert.Equal(["one@to.test", "two@to.test"], message.Recipients);
        Assert.Equal($"SIZE={Mails.Text.Length}", message.MailParameters);
    }
}
