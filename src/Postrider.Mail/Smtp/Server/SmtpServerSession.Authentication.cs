using System.Buffers.Text;
using System.Text;

namespace Postrider.Mail.Smtp.Server;

/// <summary>AUTH PLAIN and LOGIN (RFC 4954, 4616).</summary>
sealed partial class SmtpServerSession
{
    bool MayAuthenticate => !_isAuthenticated && (wire.IsEncrypted || peer.IsLoopback || _options.AllowPlaintextAuth);

    async ValueTask AuthenticateAsync(string argument)
    {
        var words = argument.Split(' ');
        if (!_greeted || !_isExtended)
            Fault(SmtpReplies.HelloFirst);
        else if (_isAuthenticated)
            Fault(SmtpReplies.AlreadyAuthenticated);
        else if (_mail is not null)
            Fault(SmtpReplies.NotInTransaction);
        else if (!MayAuthenticate)
            Fault(SmtpReplies.EncryptionRequired);
        else if (words.Length > 2 || words[0].Length == 0)
            Fault(new SmtpReply(501, "5.5.4", "write AUTH PLAIN or AUTH LOGIN"));
        else if (words[0].Equals("PLAIN", StringComparison.OrdinalIgnoreCase))
            await PlainAsync(words.Length > 1 ? words[1] : null);
        else if (words[0].Equals("LOGIN", StringComparison.OrdinalIgnoreCase))
            await LoginAsync(words.Length > 1 ? words[1] : null);
        else
            Fault(SmtpReplies.UnknownMechanism);
    }

    async ValueTask PlainAsync(string? initial)
    {
        var response = initial is null ? await AskAsync("") : Decode(initial);
        if (response is null)
            return;
        // RFC 4616 §2: authzid NUL authcid NUL password. The first is for acting as another, which nobody may.
        var (user, password) = response.Split('\0') is [_, var name, var secret] ? (name, secret) : ("", "");
        await JudgeAsync(user, password);
    }

    async ValueTask LoginAsync(string? initial)
    {
        // "Username:" and "Password:", as everybody's client expects them.
        if ((initial is null ? await AskAsync("VXNlcm5hbWU6") : Decode(initial)) is { } user
            && await AskAsync("UGFzc3dvcmQ6") is { } password)
            await JudgeAsync(user, password);
    }

    async ValueTask JudgeAsync(string user, string password)
    {
        var reply = user.Length == 0 || password.Length == 0 || password.Contains('\0', StringComparison.Ordinal)
            ? SmtpReplies.BadCredentials : await handler.AuthenticateAsync(user, password, cut);
        if (reply.Code == 535)
        {
            await RefuseGuessAsync(reply);
            return;
        }
        _isAuthenticated = reply.IsPositive;
        Say(reply);
    }

    /// <summary>A wrong guess costs time, more with each from the same address; a right one never waits.</summary>
    async ValueTask RefuseGuessAsync(SmtpReply reply)
    {
        var delay = server.Guesses.Failed(peer.Address);
        await Task.Delay(delay, _clock, server.Stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (++_authFailures >= _options.MaxAuthFailures)
            End(SmtpReplies.TooManyGuesses);
        else
            Say(reply);
    }

    /// <returns><see langword="null"/>: there was no answer to go on with, and the client knows.</returns>
    async ValueTask<string?> AskAsync(string challenge)
    {
        Say(new SmtpReply(334, null, challenge));
        var input = await wire.ReadLineAsync(_options.IdleTimeout, SmtpLine.MaxAuthOctets);
        switch (input.Kind)
        {
            case SmtpInputKind.Line when input.Line == "*":
                Say(SmtpReplies.AuthCancelled);
                return null;
            case SmtpInputKind.Line:
                return Decode(input.Line);
            case SmtpInputKind.NotText:
                Fault(SmtpReplies.NotBase64);
                return null;
            default:
                EndBecauseOf(input.Kind);
                return null;
        }
    }

    /// <returns><see langword="null"/> for what is not base64, and the client knows. Text that is no UTF-8 is empty: no credential is
    /// so.</returns>
    string? Decode(string base64)
    {
        // RFC 4954 §4: "=" stands for an initial response of no length.
        if (base64 == "=")
            return "";
        if (base64.Contains(' ', StringComparison.Ordinal) || !Base64.IsValid(base64))
        {
            Fault(SmtpReplies.NotBase64);
            return null;
        }
        try
        {
            return SmtpLine.StrictUtf8.GetString(Convert.FromBase64String(base64));
        }
        catch (DecoderFallbackException)
        {
            return "";
        }
    }
}
