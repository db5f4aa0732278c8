{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% macro _value(name) %}{{get_array_name(variables[name])}}[0]{% endmacro %}
{% block extra_headers %}
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>
#include <unistd.h>
#include "network.h"

namespace {

template <typename T>
std::vector<T> read_file(const std::string& name)
{
    std::ifstream file(name, std::ios::binary | std::ios::ate);
    if (!file)
        throw std::runtime_error("cannot read '" + name + "', which ClampedInput has to present");
    std::vector<T> values(file.tellg() / sizeof(T));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(T));
    return values;
}

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
    static std::vector<{{data_type}}> data;
    static std::vector<int32_t> order;
    static int32_t loaded = -1;
    if (loaded != {{_value('_number')}})
    {
        loaded = {{_value('_number')}};
        const std::string name = in_data_directory("{{input_name}}." + std::to_string(loaded));
        data = read_file<{{data_type}}>(name + ".data");
        order = read_file<int32_t>(name + ".order");
        for (const int32_t row : order)
            if (row < 0 || (size_t)row >= data.size() / {{n_units}})
                throw std::runtime_error("{{input_name}}: there is no row " + std::to_string(row));
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
            const {{data_type}}* __restrict shown = &data[(size_t)order[first + row] * {{n_units}}];
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
