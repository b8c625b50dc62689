using System.Buffers;
using System.Globalization;
using System.Text;

namespace Postrider.Mail.Smtp.Server;

/// <summary>The transaction: MAIL, RCPT, and content by DATA or BDAT.</summary>
sealed partial class SmtpServerSession
{
    /// <summary>Beyond this content is not even thrown away: no honest client sends it.</summary>
    long MostToDiscard => 2 * _options.MaxMessageBytes;

    // For each recipient that one message may have; between two messages that were taken.
    const int RefusalsOfARecipient = 20;

    readonly List<SmtpRecipient> _recipients = [];
    SmtpMailFrom? _mail;            // null: no transaction
    long _transactionStartedAt;
    int _refusedRecipients;         // of the transaction
    int _refusals;                  // of recipients, since the last message that was taken
    ReceivedContent? _chunks;       // from the first BDAT of the transaction on
    SmtpContentDecoder _chunkDecoder = new(dots: false);

    void ResetTransaction()
    {
        _chunks?.Dispose();
        (_chunks, _mail, _refusedRecipients) = (null, null, 0);
        _recipients.Clear();
    }

    async ValueTask MailAsync(string argument)
    {
        if (!_greeted)
            Fault(SmtpReplies.HelloFirst);
        else if (_mail is not null)
            Fault(SmtpReplies.NestedMail);
        else if (SmtpPathCommand.ReadMail(argument, _options, out var mail) is { } refusal)
            Fault(refusal);
        else
        {
            var reply = await handler.MailAsync(mail, cut);
            if (reply.IsPositive)
                (_mail, _transactionStartedAt) = (mail, _clock.GetTimestamp());
            Judge(reply);
        }
    }

    async ValueTask RecipientAsync(string argument)
    {
        if (_mail is not { } mail)
        {
            Fault(SmtpReplies.MailFirst);
            return;
        }
        if (_chunks is not null)
        {
            Fault(SmtpReplies.NotInTransaction);
            return;
        }
        if (_recipients.Count >= _options.MaxRecipients)
        {
            RefuseRecipient(SmtpReplies.TooManyRecipients);
            return;
        }
        var reply = SmtpPathCommand.ReadRecipient(argument, mail.SmtpUtf8, _options, out var recipient)
            ?? await handler.RecipientAsync(recipient!, cut);
        if (!reply.IsPositive)
        {
            RefuseRecipient(reply);
            return;
        }
        _recipients.Add(recipient!);
        Say(reply);
    }

    /// <summary>Who has many recipients may have many bad ones: each is answered by itself, and only madness ends the session.</summary>
    void RefuseRecipient(SmtpReply reply)
    {
        Judge(reply);
        _refusedRecipients++;
        if (++_refusals >= RefusalsOfARecipient * _options.MaxRecipients && !_isOver)
            End(SmtpReplies.TooManyErrors);
    }

    /// <summary>Says what the handler said. Who is told to authenticate and goes on without has made an error.</summary>
    void Judge(SmtpReply reply)
    {
        if (reply.Code == 530 || reply.Code is >= 500 and < 505)
            Fault(reply);
        else
            Say(reply);
    }

    async ValueTask DataAsync(string argument)
    {
        if (_mail is null)
            Fault(SmtpReplies.MailFirst);
        else if (argument.Length > 0)
            Fault(SmtpReplies.NoParameters);
        else if (_chunks is not null)
            Fault(SmtpReplies.DataAfterChunks);
        else if (_recipients.Count == 0)
            Fault(_refusedRecipients > 0 ? SmtpReplies.NoRecipients : SmtpReplies.RecipientFirst);
        else
        {
            Say(SmtpReplies.StartContent);
            await wire.FlushAsync();
            using var content = NewContent();
            var decoder = new SmtpContentDecoder(dots: true);
            if (await ReadContentAsync(decoder, content, until: long.MaxValue))
                await ReceiveAsync(decoder, content);
        }
    }

    /// <summary>BDAT (RFC 3030 §2). Its octets follow whatever we think of it, so they are read in any case.</summary>
    async ValueTask ChunkAsync(string argument)
    {
        var words = argument.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var isLast = words is [_, _] && words[1].Equals("LAST", StringComparison.OrdinalIgnoreCase);
        if (words is not [var digits, ..] || words.Length != (isLast ? 2 : 1) || digits.Length > 20
            || !long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var size))
        {
            // How much follows is not known: there is no going on.
            End(new SmtpReply(501, "5.5.4", "write BDAT size, or BDAT size LAST"));
            return;
        }
        if (size > MostToDiscard)
        {
            End(SmtpReplies.TooLarge(_options.MaxMessageBytes));
            return;
        }
        // It brings the message no nearer.
        if (size == 0 && !isLast && IsIdleTooOften())
            return;
        if (_chunks is null)
        {
            _chunks = NewContent();
            _chunkDecoder = new SmtpContentDecoder(dots: false);
            if (OutOfTurn() is { } why)
                _chunks.Refuse(why);
        }
        var chunks = _chunks;
        if (size > 0 && !await ReadContentAsync(_chunkDecoder, chunks, until: size))
            return;
        if (isLast)
        {
            _chunkDecoder.End();
            await ReceiveAsync(_chunkDecoder, chunks);
            return;
        }
        if (chunks.Refusal is { } refusal)
            Fault(refusal);
        else
            Say(new SmtpReply(250, "2.0.0", string.Create(CultureInfo.InvariantCulture, $"{size} octets received")));
        // Outside a transaction there is nothing that further chunks could belong to.
        if (_mail is null)
            ResetTransaction();
    }

    SmtpReply? OutOfTurn()
    {
        if (_mail is null)
            return SmtpReplies.MailFirst;
        if (_recipients.Count > 0)
            return null;
        return _refusedRecipients > 0 ? SmtpReplies.NoRecipients : SmtpReplies.RecipientFirst;
    }

    ReceivedContent NewContent() => new(server.ContentMemory, _options.MaxMessageBytes);

    /// <summary>Reads content up to its end, or so many octets of it.</summary>
    /// <returns>False: it did not come, and the session is over.</returns>
    async ValueTask<bool> ReadContentAsync(SmtpContentDecoder decoder, ReceivedContent content, long until)
    {
        var inWindow = 0L;
        wire.Expect(NextContentWindow());
        while (true)
        {
            if (await wire.ReadContentAsync() is not { } octets)
            {
                End(SmtpReplies.TimedOut);
                return false;
            }
            if (octets.IsEmpty)
            {
                wire.Consume(octets.Start);
                _isOver = true;
                return false;
            }
            if (octets.Length > until)
                octets = octets.Slice(0, until);
            var hasEnded = Decode(decoder, octets, content, out var end, out var length);
            wire.Consume(end);
            if (hasEnded || (until -= length) == 0)
            {
                wire.Relax();
                return true;
            }
            if (content.Discarded > MostToDiscard)
            {
                End(content.Refusal!.Value);
                return false;
            }
            if ((inWindow += length) < _options.MinContentBytes)
                continue;
            inWindow = 0;
            wire.Expect(NextContentWindow());
        }
    }

    TimeSpan NextContentWindow()
    {
        var left = _options.TransactionTimeout - (_mail is null ? TimeSpan.Zero : _clock.GetElapsedTime(_transactionStartedAt));
        return left <= TimeSpan.Zero ? TimeSpan.FromMilliseconds(1) : left < _options.ContentWindow ? left : _options.ContentWindow;
    }

    static bool Decode(SmtpContentDecoder decoder, in ReadOnlySequence<byte> octets, ReceivedContent content, out SequencePosition end,
        out long length)
    {
        length = 0;
        foreach (var piece in octets)
        {
            var hasEnded = decoder.Decode(piece.Span, content, out var consumed);
            length += consumed;
            if (hasEnded)
            {
                end = octets.GetPosition(length);
                return true;
            }
        }
        end = octets.End;
        return false;
    }

    /// <summary>Content is here: hands it over, or says why not. The transaction ends either way.</summary>
    async ValueTask ReceiveAsync(SmtpContentDecoder decoder, ReceivedContent content)
    {
        var reply = content.Refusal ?? FaultOf(decoder.Fault) ?? FaultOfHeader(content.Octets);
        if (reply is null)
        {
            var received = new SmtpReceivedMail { From = _mail!, Recipients = [.. _recipients], Content = content.Detach() };
            reply = await handler.ReceiveAsync(received, cut);
        }
        if (reply is { IsPositive: true })
            (_idleCommands, _refusals) = (0, 0);
        ResetTransaction();
        Say(reply.Value);
    }

    static SmtpReply? FaultOf(SmtpContentFault fault) => fault switch
    {
        SmtpContentFault.None => null,
        SmtpContentFault.BareLineEnd => SmtpReplies.BareLineEndInContent,
        SmtpContentFault.Nul => SmtpReplies.NulInContent,
    };

    /// <summary>RFC 6531 §3.4: header fields beyond ASCII need SMTPUTF8. Bodies need nothing: we take 8 bits in any case.</summary>
    SmtpReply? FaultOfHeader(ReadOnlySpan<byte> content)
    {
        if (_mail!.SmtpUtf8 || content.StartsWith("\r\n"u8))
            return null;
        var end = content.IndexOf("\r\n\r\n"u8);
        return Ascii.IsValid(end < 0 ? content : content[..end]) ? null : SmtpReplies.NeedsUtf8;
    }
}
