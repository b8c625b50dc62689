using System.Text;
using Dapper;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Queue;
using Postrider.Retention;
using Postrider.Storage;
using Xunit;

namespace Postrider.Engine.Tests.Retention;

// What becomes of mail that the person sent.
public abstract partial class ErasureContract
{
    static readonly Mailbox Shop = new("The Shop", EmailAddress.Parse("shop@example.com"));
    static readonly Mailbox AnnHerself = new("Ann Q. Smith", EmailAddress.Parse(Ann));

    async Task<MessageId> SendAsync(MessageContent content, TenantId? tenant = null)
    {
        var message = new NewMessage
        {
            Id = _ids.Next(),
            Stream = MailStream.Transactional,
            Route = "main",
            Recipients = [new MessageRecipient(0, RecipientKind.To, new Mailbox(null, EmailAddress.Parse(Bob)))],
            Content = content with { Subject = "S", Text = "T" },
            ExpiresAt = Now + TimeSpan.FromDays(3),
        };
        await _under.Store.AcceptAsync(new Acceptance { Tenant = tenant ?? TenantId.First, Messages = [message] }, default);
        return message.Id;
    }

    [Fact]
    public async Task What_the_person_sent_or_is_answered_on_loses_its_body_and_says_no_more_who_it_was()
    {
        MessageId[] hers =
        [
            await SendAsync(new MessageContent { From = AnnHerself, Subject = "" }),
            await SendAsync(new MessageContent { From = Shop, ReplyTo = [AnnHerself], Subject = "" }),
            await SendAsync(new MessageContent
            {
                From = Shop, Subject = "", ReversePath = new ReversePath(EmailAddress.Parse(Ann)),
            }),
            await SendAsync(new MessageContent
            {
                From = Shop,
                Subject = "",
                Mime = Encoding.UTF8.GetBytes($"From: shop@example.com\r\nSender: Ann Q. Smith\r\n <{Ann}>\r\n\r\nBody"),
            }),
        ];
        var others = await SendAsync(new MessageContent { From = Shop, Subject = "" });
        var elsewhere = await SendAsync(new MessageContent { From = AnnHerself, Subject = "" }, Other);
        await EndDueAsync(TenantId.First);
        await EndDueAsync(Other);
        var failed = await SendAsync(new MessageContent { From = AnnHerself, Subject = "" });
        await EndDueAsync(TenantId.First, RecipientState.Failed);
        var batch = await AddBatchOfAnnsAsync();

        var done = await EraseAsync();
        Assert.Equal((ErasureState.Done, 5, 0), (done.State, done.Messages, done.Waiting));
        foreach (var id in hers.Append(failed))
            Assert.Null(await _under.Reader.GetContentAsync(TenantId.First, id, default));
        Assert.Equal(Bob, (await ViewAsync(hers[0])).Recipients[0].Mailbox.Address.ToString());
        Assert.NotNull(await _under.Reader.GetContentAsync(TenantId.First, others, default));
        Assert.NotNull(await _under.Reader.GetContentAsync(Other, elsewhere, default));
        await Tables.ReadAsync(connection =>
        {
            Assert.Equal(done.Pseudonym, connection.ExecuteScalar<string>(
                "SELECT sender FROM messages WHERE id = @id", new { id = hers[0].Value }));
            Assert.Equal(done.Pseudonym, connection.ExecuteScalar<string>(
                "SELECT sender FROM batches WHERE id = @id", new { id = batch.Value }));
            Assert.Equal(ContentCodec.Gone, connection.ExecuteScalar<byte[]>(
                "SELECT content FROM batches WHERE id = @id", new { id = batch.Value }));
            return 0;
        }, default);
        await Tables.WriteAsync(connection => connection.Execute("DELETE FROM messages WHERE tenant = 2"));
        Assert.Empty(await FindAllAsync("ann.smith", "q. smith"));
    }

    [Fact]
    public async Task What_the_person_sent_and_is_open_is_delivered_before_it_is_erased()
    {
        var open = await SendAsync(new MessageContent { From = AnnHerself, Subject = "" });
        await _under.Store.CancelAsync(TenantId.First, await AcceptAsync(TenantId.First, Ann), Now, default);
        var order = await EraseAsync();
        Assert.Equal((ErasureState.Running, 1, Normal), (order.State, order.Waiting, order.Address));
        Assert.Equal(AnnHerself, (await _under.Reader.GetContentAsync(TenantId.First, open, default))!.From);
        _clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(1, (await EraseAsync(order)).Waiting);

        await EndDueAsync(TenantId.First);
        _clock.Advance(TimeSpan.FromHours(2));
        var done = await EraseAsync(order);
        Assert.Equal((ErasureState.Done, 2, 0, null), (done.State, done.Messages, done.Waiting, done.Address));
        Assert.Equal(RecipientState.Sent, (await ViewAsync(open)).Recipients[0].State);
        Assert.Empty(await FindAllAsync("ann.smith", "q. smith"));
    }

    async Task<MessageId> AddBatchOfAnnsAsync()
    {
        var batch = _ids.Next();
        using var content = new FieldWriter();
        ContentCodec.Write(content, new MessageContent { From = AnnHerself, Subject = "S" });
        await Tables.WriteAsync(connection => connection.Execute("""
            INSERT INTO batches (id, tenant, count, sender, subject, content) VALUES (@id, 1, 0, @sender, 'S', @content)
            """, new { id = batch.Value, sender = AnnHerself.ToString(), content = content.Written.ToArray() }));
        return batch;
    }
}
