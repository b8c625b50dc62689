using Postrider.Hosting;
using Xunit;

namespace Postrider.EndToEnd.Hosting;

/// <summary>Connections from outside never take the last descriptor.</summary>
public sealed class ConnectionLimitsTests
{
    [Fact]
    public void Settings_hold_where_the_process_may_open_enough_files()
    {
        Assert.Equal(new ConnectionLimits(10_000, 10_000, null), ConnectionLimits.Of(1, 10_000, 10_000, 524_288));
        Assert.Equal(new ConnectionLimits(10_000, 10_000, null), ConnectionLimits.Of(1, 10_000, 10_000, null));
        Assert.Equal(new ConnectionLimits(20, 20, null), ConnectionLimits.Of(2, 20, 20, 512));
    }

    [Theory]
    [InlineData(1, 10_000, 10_000, 20_000, 7500, 7500)]
    [InlineData(1, 10_000, 0, 1024, 576, 0)]
    [InlineData(2, 10_000, 10_000, 1024, 144, 288)]
    [InlineData(1, 100, 10_000, 1024, 100, 476)]
    [InlineData(1, 10_000, 100, 1024, 476, 100)]
    [InlineData(1, 10_000, 0, 512, 64, 0)]
    [InlineData(1, 10_000, 10_000, 256, 8, 8)]
    public void Fewer_are_taken_where_it_may_not(int endpoints, int http, int smtp, int files, int ofHttp, int ofSmtp) =>
        Assert.Equal(new ConnectionLimits(ofHttp, ofSmtp, files), ConnectionLimits.Of(endpoints, http, smtp, files));

    [Fact]
    public void Limit_is_the_soft_one_of_the_process()
    {
        var file = Path.GetTempFileName();
        string Line(string soft) => $"Limit                     Soft Limit           Hard Limit           Units     \n"
            + $"Max processes             95973                95973                processes \nMax open files            {soft,-20} 4096                 files     \n";
        File.WriteAllText(file, Line("512"));
        Assert.Equal(512, ConnectionLimits.OpenFilesOf(file));
        File.WriteAllText(file, Line("unlimited"));
        Assert.Null(ConnectionLimits.OpenFilesOf(file));
        File.Delete(file);
        Assert.Null(ConnectionLimits.OpenFilesOf(file));
    }
}
