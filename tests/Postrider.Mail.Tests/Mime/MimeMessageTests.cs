using Postrider.Mail.Mime;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Mime;

public sealed class MimeMessageTests
{
    [Theory]
    [InlineData("Hi\r\nBcc: v@evil")]
    [InlineData("Hi\n")]
    [InlineData("\rHi")]
    [InlineData("H\0i")]
    [InlineData("H\u2028i")]
    public void A_subject_cannot_bring_a_header(string subject)
    {
        Assert.False(HeaderText.IsSafe(subject, out var fault));
        Assert.Equal(HeaderFault.Injection, fault);
        Assert.Throws<ArgumentException>(() => MessageMaker.Simple(subject));
        Assert.Throws<ArgumentException>(() => MessageMaker.Simple() with { Subject = subject });
    }

    [Theory]
    [InlineData("1.2@example.com", true)]
    [InlineData("a@[127.0.0.1]", true)]
    [InlineData("a", false)]
    [InlineData("@b", false)]
    [InlineData("a@", false)]
    [InlineData("a@b@c", false)]
    [InlineData("a b@c", false)]
    [InlineData("<a@b>", false)]
    [InlineData("a@b\r\nBcc: v@evil", false)]
    [InlineData("ü@b", false)]
    public void A_message_id_has_two_sides(string id, bool good)
    {
        Assert.Equal(good, MimeMessage.IsMessageId(id));
        if (!good)
            Assert.Throws<ArgumentException>(() => MessageMaker.Simple() with { MessageId = id });
    }

    [Theory]
    [InlineData("logo", "logo")]
    [InlineData("<logo@x.com>", "logo@x.com")]
    [InlineData("a b", null)]
    [InlineData("a\r\nb", null)]
    [InlineData("a>b", null)]
    [InlineData("", null)]
    [InlineData("<>", null)]
    [InlineData("ü", null)]
    public void A_content_id_goes_between_angle_brackets(string given, string? expected)
    {
        Assert.Equal(expected is not null, MimeAttachment.IsContentId(given));
        if (expected is null)
            Assert.Throws<ArgumentException>(() => new MimeAttachment { FileName = "a", Content = default, ContentId = given });
        else
            Assert.Equal(expected, new MimeAttachment { FileName = "a", Content = default, ContentId = given }.ContentId);
    }

    [Theory]
    [InlineData("a.pdf", "a.pdf")]
    [InlineData("../../etc/passwd", "passwd")]
    [InlineData("C:\\temp\\a.exe", "a.exe")]
    [InlineData("dir/", "attachment")]
    [InlineData("..", "attachment")]
    [InlineData(" ", "attachment")]
    [InlineData("", "attachment")]
    [InlineData("日本.pdf", "日本.pdf")]
    public void A_file_name_is_no_path(string given, string expected) =>
        Assert.Equal(expected, new MimeAttachment { FileName = given, Content = default }.FileName);

    [Theory]
    [InlineData("a\r\nContent-Type: text/html")]
    [InlineData("a\0.exe")]
    public void A_file_name_cannot_bring_a_header(string name) =>
        Assert.Throws<ArgumentException>(() => new MimeAttachment { FileName = name, Content = default });

    [Theory]
    [InlineData("image/png", "image/png")]
    [InlineData(" text/csv ; charset = utf-8", "text/csv; charset=utf-8")]
    [InlineData("text/calendar;method=REQUEST;x=\"a;b\"", "text/calendar; method=REQUEST; x=\"a;b\"")]
    [InlineData("image/png; name=\"evil.exe\"; a=b", "image/png; a=b")]
    [InlineData("image/png; boundary=x", "image/png")]
    [InlineData("image/png; broken", "image/png")]
    [InlineData("image/png; a=\"open", "image/png")]
    [InlineData("multipart/mixed", "application/octet-stream")]
    [InlineData("png", "application/octet-stream")]
    [InlineData("image/", "application/octet-stream")]
    [InlineData("/png", "application/octet-stream")]
    [InlineData("image/p ng", "application/octet-stream")]
    [InlineData("image/png\r\nBcc: v@evil", "application/octet-stream")]
    [InlineData("image/png; a=\"\r\nBcc: v\"", "image/png")]
    [InlineData("ïmage/png", "application/octet-stream")]
    [InlineData("", "application/octet-stream")]
    public void A_content_type_is_well_formed_or_unknown(string given, string expected) =>
        Assert.Equal(expected, new MimeAttachment { FileName = "a", Content = default, ContentType = given }.ContentType);

    [Fact]
    public void There_is_no_place_for_blind_recipients() =>
        Assert.DoesNotContain(typeof(MimeMessage).GetProperties(), p => p.Name.Contains("Bcc", StringComparison.OrdinalIgnoreCase));
}
