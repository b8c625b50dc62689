using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace Postrider.Providers.Mailgun;

/// <summary>Writes multipart/form-data (RFC 7578): text fields in UTF-8, then one file.</summary>
/// <remarks>Our own, because the framework's writer names fields without quotes and gives each a content type, which Mailgun does not
/// expect.</remarks>
sealed class MailgunForm
{
    readonly ArrayBufferWriter<byte> _body;
    readonly string _boundary;

    /// <param name="file">What the file will be; the boundary is made of it, so the same message is the same bytes.</param>
    public MailgunForm(ReadOnlySpan<byte> file)
    {
        _boundary = $"postrider-{Convert.ToHexStringLower(SHA256.HashData(file).AsSpan(0, 16))}";
        _body = new ArrayBufferWriter<byte>(file.Length + 2_048);
    }

    public string ContentType => $"multipart/form-data; boundary={_boundary}";

    /// <param name="name">ASCII without quotes and line breaks.</param>
    public void AddField(string name, string value)
    {
        Write($"--{_boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        Write(value);
        Write("\r\n");
    }

    /// <summary>Ends the form. A part without a file name would be dropped in silence.</summary>
    public ReadOnlyMemory<byte> FinishWithFile(string name, string fileName, string contentType, ReadOnlySpan<byte> file)
    {
        Write($"--{_boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{fileName}\"\r\n");
        Write($"Content-Type: {contentType}\r\n\r\n");
        _body.Write(file);
        Write($"\r\n--{_boundary}--\r\n");
        return _body.WrittenMemory;
    }

    void Write(string text) => Encoding.UTF8.GetBytes(text, _body);
}
