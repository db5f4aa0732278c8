{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% macro _value(name) %}{{get_array_name(variables[name])}}[0]{% endmacro %}
{% block extra_headers %}
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "network.h"

namespace {

// The values in a file, which are not copied.
template <typename T>
class Values
{
public:
    void read(const std::string& name)
    {
        close();
        const int file = open(name.c_str(), O_RDONLY);
        struct stat about;
        if (file >= 0 && fstat(file, &about) == 0 && about.st_size > 0)
            place = mmap(nullptr, bytes = about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
        if (file >= 0)
            ::close(file);
        if (place == MAP_FAILED)
            throw std::runtime_error("cannot read '" + name + "', which ClampedInput has to present");
    }
    size_t size() const { return bytes / sizeof(T); }
    const T* begin() const { return static_cast<const T*>(place); }
    ~Values() { close(); }

private:
    void close()
    {
        if (place != MAP_FAILED)
            munmap(place, bytes);
        place = MAP_FAILED;
    }
    void* place = MAP_FAILED;
    size_t bytes = 0;
};

std::string in_data_directory(const std::string& name)
{
    const char* directory = std::getenv("{{directory_variable}}");
    return std::string(directory ? directory : ".") + "/" + name;
}

// Someone asks us to stop, or whoever started us is gone.
bool is_over()
{
    static const std::string stop = in_data_directory("{{stop_file}}");
    static const char* owner = std::getenv("{{owner_variable}}");
    return access(stop.c_str(), F_OK) == 0 || (owner && getppid() != std::atoi(owner));
}

}
{% endblock %}

{% block maincode %}
    static Values<{{data_type}}> data;
    static Values<int32_t> order;
    static int32_t loaded = -1;
    if (loaded != {{_value('_number')}})
    {
        loaded = {{_value('_number')}};
        const std::string name = in_data_directory("{{input_name}}." + std::to_string(loaded));
        data.read(name + ".data");
        order.read(name + ".order");
        for (size_t i = 0; i < order.size(); i++)
            if (order.begin()[i] < 0 || (size_t)order.begin()[i] >= data.size() / {{n_units}})
                throw std::runtime_error("{{input_name}}: there is no row " + std::to_string(order.begin()[i]));
    }
    if ({{_value('steps')}} < 1)
        throw std::runtime_error("{{input_name}}: steps must be at least 1");
    {% set float = c_data_type(variables['rate'].dtype) %}
    {{_value('step')}}++;
    if ({{_value('step')}} == 0 || {{_value('step')}} >= {{_value('steps')}})
    {
        {{_value('step')}} = 0;
        {{_value('presentation')}}++;
        const size_t first = (size_t){{_value('presentation')}} * {{batch}};
        if (first >= order.size())
            throw std::runtime_error("{{input_name}}: all rows have been presented; call show(data) before the next run");
        const size_t rows = std::min<size_t>({{batch}}, order.size() - first);
        {{_value('rows')}} = rows;
        const {{float}} scale = {{_value('scale')}};
        const {{float}}* __restrict offset = {{get_array_name(variables['offset'])}};
        {{float}}* __restrict rate = {{get_array_name(variables['rate'])}};
        {{_macros.in_parallel('rows * %d' % n_units)}}
        for (size_t row = 0; row < rows; row++)
        {
            const {{data_type}}* __restrict shown = data.begin() + (size_t)order.begin()[first + row] * {{n_units}};
            for (size_t unit = 0; unit < {{n_units}}; unit++)
                rate[row * {{n_units}} + unit] = scale * shown[unit] - offset[row * {{n_units}} + unit];
        }
        for (size_t i = rows * {{n_units}}; i < (size_t){{batch * n_units}}; i++)
            rate[i] = 0;
    }
    if ({{_value('step')}} == {{_value('steps')}} - 1)
        if (({{_value('presentation')}} + 1) * (size_t){{batch}} >= order.size() || is_over())
            Network::_globally_stopped = true;
{% endblock %}
