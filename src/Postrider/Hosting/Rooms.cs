using Postrider.Delivery;
using Postrider.Routing;
using Postrider.Submission;

namespace Postrider.Hosting;

/// <summary>What the rooms bring to the process: their options and their providers.</summary>
static class Rooms
{
    public static readonly IReadOnlyList<ConfigurationSection> Sections =
    [
        new("", typeof(PostriderOptions)),
        new("", typeof(RoutingOptions)),
        new("Submission", typeof(SubmissionOptions)),
        new("Delivery", typeof(DeliveryOptions)),
        new("Server", typeof(ServerOptions)),
    ];

    /// <summary>Every kind of service that a transport can be.</summary>
    public static void AddProviders(IServiceCollection services)
    {
    }
}
