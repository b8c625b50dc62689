using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.Mailgun;

/// <summary>Writes multipart/form-data (RFC 7578): text fields in UTF-8, and files.</summary>
/// <remarks>Our own, because the framework's writer names fields without quotes and gives each a content type, which Mailgun does not
/// expect.</remarks>
sealed class MailgunForm
{
    /// <summary>Where Mailgun writes variables for the reader to see, and reads them.</summary>
    public const string VariablesHeader = "X-Mailgun-Variables";

    readonly ArrayBufferWriter<byte> _body;
    readonly string _boundary;

    /// <param name="contents">What somebody else wrote and the form will hold; the boundary is made of it, so it does not occur there, and
    /// the same message is the same bytes.</param>
    public MailgunForm(params IEnumerable<ReadOnlyMemory<byte>> contents)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var length = 2_048;
        foreach (var content in contents)
        {
            hash.AppendData(content.Span);
            length += content.Length;
        }
        _boundary = $"postrider-{Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16))}";
        _body = new ArrayBufferWriter<byte>(length);
    }

    public string ContentType => $"multipart/form-data; boundary={_boundary}";

    /// <param name="name">ASCII without quotes and line breaks.</param>
    public void AddField(string name, string value)
    {
        Write($"--{_boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        Write(value);
        Write("\r\n");
    }

    /// <summary>Our id, for the callbacks and not for the readers of the mail.</summary>
    public void AddId(string id)
    {
        AddField($"v:{CarriedId.Name}", id);
        AddField("o:suppress-headers", VariablesHeader);
    }

    /// <summary>A part without a file name would be dropped in silence.</summary>
    /// <param name="fileName">Without quotes, backslashes and line breaks; in UTF-8, which is how Mailgun's own SDKs write it.</param>
    public void AddFile(string name, string fileName, string contentType, ReadOnlySpan<byte> content)
    {
        Write($"--{_boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{fileName}\"\r\n");
        Write($"Content-Type: {contentType}\r\n\r\n");
        _body.Write(content);
        Write("\r\n");
    }

    public ReadOnlyMemory<byte> Finish()
    {
        Write($"--{_boundary}--\r\n");
        return _body.WrittenMemory;
    }

    void Write(string text) => Encoding.UTF8.GetBytes(text, _body);
}
